-- The cache is disposable: it is filled again. Names are looked for in memory, by what `name` has of them.
DELETE FROM feed;
DELETE FROM resource;
DELETE FROM number;
DELETE FROM moved;
DELETE FROM stock_unit;
DELETE FROM stock_count;
DELETE FROM recipient;
DELETE FROM trace;
DROP TABLE donor_search;
DROP TABLE donor;
DROP TABLE word;
DROP TABLE tally;

-- What the list shows, apart from the resources.
CREATE TABLE donor (
    position INTEGER PRIMARY KEY,        -- in the order of (sort_key, id), so that what is read together lies together
    id       TEXT NOT NULL UNIQUE,
    slot     INTEGER NOT NULL,           -- in `name`
    sort_key BLOB NOT NULL,              -- Kazakh collation of family, given, patronymic
    numbers  TEXT NOT NULL,              -- keys in `number`, one space between them
    blood    INTEGER NOT NULL,           -- as in `name`
    deferred INTEGER NOT NULL,           -- as in `name`
    summary  TEXT NOT NULL               -- JSON of clinical::donor::Summary
) STRICT;
CREATE INDEX donor_by_name ON donor (sort_key, id);

-- What is looked for in memory, read whole when the cache is opened.
CREATE TABLE name (
    slot     INTEGER PRIMARY KEY,        -- small numbers, used again
    position INTEGER NOT NULL,           -- in `donor`
    spelling TEXT NOT NULL,              -- a space, then the whole name, NFC and lower case
    blood    INTEGER NOT NULL,           -- 1 O-, 2 O+, 3 A-, 4 A+, 5 B-, 6 B+, 7 AB-, 8 AB+, 0 if unknown
    deferred INTEGER NOT NULL            -- last day as YYYYMMDD, 99999999 without an end, 0 if never deferred
) STRICT;
