-- The last answer that was given to a device by courier: an older answer never follows a newer one.
CREATE TABLE courier_counters (
    device_id TEXT COLLATE "C" PRIMARY KEY REFERENCES devices (device_id),
    counter   BIGINT NOT NULL
);
CREATE INDEX person_keys_device ON person_keys (device_id);
