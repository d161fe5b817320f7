-- The cache is disposable: it is filled again, with what is in the house and who receives blood.
DELETE FROM feed;
DELETE FROM donor;
DELETE FROM resource;
DELETE FROM number;
DELETE FROM word;
DELETE FROM moved;

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
    spelling TEXT NOT NULL,              -- a space, then the whole name, NFC and lower case
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
