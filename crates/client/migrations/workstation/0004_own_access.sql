-- The readable copy of each person's own access log: the audit message, encrypted under that person's keys. Nothing in clear says whom it
-- names; whether it was delivered is told by the outbox.
CREATE TABLE own_access (
    sequence  INTEGER PRIMARY KEY NOT NULL,   -- of the device's audit chain
    person_id TEXT NOT NULL,
    item_id   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    sealed    BLOB NOT NULL
) STRICT;
CREATE INDEX own_access_by_person ON own_access (person_id, sequence);
CREATE INDEX own_access_by_time ON own_access (at);
