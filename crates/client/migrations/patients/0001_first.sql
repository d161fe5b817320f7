-- A disposable cache of the change feed, under a key that exists only behind the gate.
CREATE TABLE feed (
    stream TEXT PRIMARY KEY NOT NULL,
    cursor TEXT NOT NULL,
    applied_at INTEGER NOT NULL          -- when a page was complete; Unix seconds
) STRICT;

CREATE TABLE resource (
    kind  TEXT NOT NULL,
    id    TEXT NOT NULL,
    donor TEXT,
    json  TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;
CREATE INDEX resource_by_donor ON resource (donor);

-- What the list shows, apart from the resources.
CREATE TABLE donor (
    rowid    INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    sort_key BLOB NOT NULL,              -- Kazakh collation of family, given, patronymic
    iin      TEXT NOT NULL,
    spelling TEXT NOT NULL,              -- a space, then the whole name, NFC and lower case
    folded   TEXT NOT NULL,              -- search key of the whole name
    summary  TEXT NOT NULL               -- JSON of clinical::donor::Summary
) STRICT;
CREATE INDEX donor_by_name ON donor (sort_key, id);
CREATE INDEX donor_by_iin ON donor (iin);

CREATE VIRTUAL TABLE donor_search USING fts5 (
    folded, content = 'donor', content_rowid = 'rowid', tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3'
);
CREATE TRIGGER donor_search_insert AFTER INSERT ON donor BEGIN
    INSERT INTO donor_search (rowid, folded) VALUES (new.rowid, new.folded);
END;
CREATE TRIGGER donor_search_delete AFTER DELETE ON donor BEGIN
    INSERT INTO donor_search (donor_search, rowid, folded) VALUES ('delete', old.rowid, old.folded);
END;
CREATE TRIGGER donor_search_update AFTER UPDATE ON donor BEGIN
    INSERT INTO donor_search (donor_search, rowid, folded) VALUES ('delete', old.rowid, old.folded);
    INSERT INTO donor_search (rowid, folded) VALUES (new.rowid, new.folded);
END;
