-- The cache is disposable: it is filled again, into tables made for batches.
DELETE FROM feed;
DROP TABLE donor_search;
DROP TABLE donor;
DELETE FROM resource;

-- Who had a resource that went to somebody else, until the transaction looks.
CREATE TABLE moved (donor TEXT NOT NULL) STRICT;
CREATE TRIGGER resource_moved AFTER UPDATE OF donor ON resource WHEN old.donor IS NOT NULL AND old.donor IS NOT new.donor BEGIN
    INSERT INTO moved (donor) VALUES (old.donor);
END;

-- What the list shows, apart from the resources.
CREATE TABLE donor (
    position INTEGER PRIMARY KEY,        -- in the order of (sort_key, id), so that every list comes out sorted
    id       TEXT NOT NULL UNIQUE,
    sort_key BLOB NOT NULL,              -- Kazakh collation of family, given, patronymic
    spelling TEXT NOT NULL,              -- a space, then the whole name, NFC and lower case
    terms    TEXT NOT NULL,              -- search key of the whole name, then marks of group and deferral: one letter each
    numbers  TEXT NOT NULL,              -- keys in `number`, one space between them
    blood    TEXT NOT NULL,              -- O- … AB+, empty if unknown
    deferred TEXT NOT NULL,              -- last day, `~` without an end, empty if never deferred
    summary  TEXT NOT NULL               -- JSON of clinical::donor::Summary
) STRICT;
CREATE INDEX donor_by_name ON donor (sort_key, id);

-- i: IIN; d: donation number; p: telephone without the country code.
CREATE TABLE number (
    key   TEXT NOT NULL,
    donor TEXT NOT NULL,
    PRIMARY KEY (key, donor)
) STRICT, WITHOUT ROWID;

-- Every word that some name has, or had: the beginning of a word becomes the words themselves.
CREATE TABLE word (key TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE tally (donors INTEGER NOT NULL) STRICT;
INSERT INTO tally (donors) VALUES (0);

CREATE VIRTUAL TABLE donor_search USING fts5 (
    terms, content = 'donor', content_rowid = 'position', tokenize = 'unicode61 remove_diacritics 0', prefix = '1 2 3',
    detail = none, columnsize = 0
);
CREATE TRIGGER donor_search_insert AFTER INSERT ON donor BEGIN
    INSERT INTO donor_search (rowid, terms) VALUES (new.position, new.terms);
    UPDATE tally SET donors = donors + 1;
END;
CREATE TRIGGER donor_search_delete AFTER DELETE ON donor BEGIN
    INSERT INTO donor_search (donor_search, rowid, terms) VALUES ('delete', old.position, old.terms);
    UPDATE tally SET donors = donors - 1;
END;
CREATE TRIGGER donor_search_update AFTER UPDATE OF terms ON donor WHEN old.terms <> new.terms BEGIN
    INSERT INTO donor_search (donor_search, rowid, terms) VALUES ('delete', old.position, old.terms);
    INSERT INTO donor_search (rowid, terms) VALUES (new.position, new.terms);
END;
-- A row moves by way of a place below zero, because another one may still stand where it goes.
CREATE TRIGGER donor_search_lift AFTER UPDATE OF position ON donor WHEN new.position < 0 BEGIN
    INSERT INTO donor_search (donor_search, rowid, terms) VALUES ('delete', old.position, old.terms);
END;
CREATE TRIGGER donor_search_drop AFTER UPDATE OF position ON donor WHEN old.position < 0 BEGIN
    INSERT INTO donor_search (rowid, terms) VALUES (new.position, new.terms);
END;
