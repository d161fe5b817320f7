-- A disposable cache of the change feed, under a key that exists only behind the gate.
CREATE TABLE feed (
    stream     TEXT PRIMARY KEY NOT NULL,
    cursor     TEXT NOT NULL,
    applied_at INTEGER NOT NULL,         -- when the stream was last read to its end; Unix seconds, 0 if never
    left_out   INTEGER NOT NULL          -- lines up to the cursor that were no acceptable resource
) STRICT;

CREATE TABLE resource (
    kind  TEXT NOT NULL,
    id    TEXT NOT NULL,
    donor TEXT,                          -- whom it is about, donor or recipient
    text  BLOB NOT NULL,                 -- its JSON, compressed with `examples.ndjson`
    PRIMARY KEY (kind, id)
) STRICT;
CREATE INDEX resource_by_donor ON resource (donor);

-- Who had a resource that went to somebody else, until the transaction looks.
CREATE TABLE moved (donor TEXT NOT NULL) STRICT;
CREATE TRIGGER resource_moved AFTER UPDATE OF donor ON resource WHEN old.donor IS NOT NULL AND old.donor IS NOT new.donor BEGIN
    INSERT INTO moved (donor) VALUES (old.donor);
END;

-- What the list shows, apart from the resources.
CREATE TABLE donor (
    position INTEGER PRIMARY KEY,        -- in the order of (sort_key, id), so that what is read together lies together
    id       TEXT NOT NULL UNIQUE,
    slot     INTEGER NOT NULL,           -- in `name`
    sort_key BLOB NOT NULL,              -- Kazakh collation of family, given, patronymic
    numbers  TEXT NOT NULL,              -- keys in `number`, one space between them
    summary  TEXT NOT NULL               -- JSON of clinical::donor::Summary
) STRICT;
CREATE INDEX donor_by_name ON donor (sort_key, id);

-- What is looked for in memory, read whole when the cache is opened.
CREATE TABLE name (
    slot     INTEGER PRIMARY KEY,        -- small numbers, used again
    position INTEGER NOT NULL,           -- in `donor`
    spelling TEXT NOT NULL,              -- words of the name, lower case, without what is not heard in them, a space before each
    blood    INTEGER NOT NULL,           -- 1 O-, 2 O+, 3 A-, 4 A+, 5 B-, 6 B+, 7 AB-, 8 AB+, 0 if unknown
    deferred INTEGER NOT NULL            -- last day as YYYYMMDD, 99999999 without an end, 99999998 not understood, 0 if never deferred
) STRICT;

-- Keys lead to slots, which are shorter than ids, and to groups and deferrals where they stand anyway.
CREATE TABLE number (
    key  TEXT NOT NULL,                  -- i: IIN; d: donation number; p: telephone without the country code
    slot INTEGER NOT NULL,               -- in `name`
    PRIMARY KEY (key, slot)
) STRICT, WITHOUT ROWID;

-- Components that lie in the house, or may: those whose status or meaning is not known are `unknown`.
CREATE TABLE stock_unit (
    id      TEXT PRIMARY KEY NOT NULL,
    product TEXT NOT NULL,
    blood   TEXT NOT NULL,               -- O- … AB+, empty if unknown or contradicted
    status  TEXT NOT NULL,
    expires INTEGER NOT NULL             -- Unix seconds; 253402300800, beyond every date, if not known
) STRICT, WITHOUT ROWID;
CREATE INDEX stock_unit_by_expiry ON stock_unit (status, expires, id, product);

-- How many units are alike, kept with every batch.
CREATE TABLE stock_count (
    product TEXT NOT NULL,
    blood   TEXT NOT NULL,
    status  TEXT NOT NULL,
    expires INTEGER NOT NULL,
    units   INTEGER NOT NULL,
    PRIMARY KEY (product, blood, status, expires)
) STRICT, WITHOUT ROWID;

-- What the list of recipients shows, apart from the resources.
CREATE TABLE recipient (
    rowid    INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    sort_key BLOB NOT NULL,              -- Kazakh collation of family, given, patronymic
    spelling TEXT NOT NULL,              -- as in `name`
    terms    TEXT NOT NULL,              -- search key of the whole name
    iin      TEXT NOT NULL,              -- its digits
    iin_end  TEXT NOT NULL,              -- the same from the last to the first
    summary  TEXT NOT NULL               -- JSON of clinical::recipient::Summary
) STRICT;
CREATE INDEX recipient_by_name ON recipient (sort_key, id);
CREATE INDEX recipient_by_iin ON recipient (iin);
CREATE INDEX recipient_by_iin_end ON recipient (iin_end);

CREATE VIRTUAL TABLE recipient_search USING fts5 (
    terms, content = 'recipient', content_rowid = 'rowid', tokenize = 'unicode61 remove_diacritics 0', prefix = '1 2 3',
    detail = none, columnsize = 0
);
CREATE TRIGGER recipient_search_insert AFTER INSERT ON recipient BEGIN
    INSERT INTO recipient_search (rowid, terms) VALUES (new.rowid, new.terms);
END;
CREATE TRIGGER recipient_search_delete AFTER DELETE ON recipient BEGIN
    INSERT INTO recipient_search (recipient_search, rowid, terms) VALUES ('delete', old.rowid, old.terms);
END;
CREATE TRIGGER recipient_search_update AFTER UPDATE OF terms ON recipient WHEN old.terms <> new.terms BEGIN
    INSERT INTO recipient_search (recipient_search, rowid, terms) VALUES ('delete', old.rowid, old.terms);
    INSERT INTO recipient_search (rowid, terms) VALUES (new.rowid, new.terms);
END;

-- d and a donation's number: what bears it; c and a component's id: what was made of it, issued, transfused or suspects it. A row may
-- outlive what it says: the resource is asked.
CREATE TABLE trace (
    key  TEXT NOT NULL,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (key, kind, id)
) STRICT, WITHOUT ROWID;
