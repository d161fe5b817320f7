-- Keys lead to slots, which are shorter than ids, and to groups and deferrals where they stand anyway.
CREATE TABLE slot_of_number (
    key  TEXT NOT NULL,                  -- i: IIN; d: donation number; p: telephone without the country code
    slot INTEGER NOT NULL,               -- in `name`
    PRIMARY KEY (key, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO slot_of_number (key, slot) SELECT key, slot FROM number JOIN donor ON donor.id = number.donor ORDER BY key, slot;
DROP TABLE number;
ALTER TABLE slot_of_number RENAME TO number;
ALTER TABLE donor DROP COLUMN blood;
ALTER TABLE donor DROP COLUMN deferred;
