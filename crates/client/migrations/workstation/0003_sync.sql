-- Files of a store that is gone: nothing is known of them but their sealed bytes.
ALTER TABLE outbox ADD COLUMN orphan INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET orphan = 1, wedged = 0, error = 'needs-courier' WHERE error = 'store-replaced';

-- All but the sealed bytes: a look at the whole outbox does not read them.
CREATE INDEX outbox_without_bytes ON outbox (id, kind, created_at, attempts, next_attempt_at, error, wedged, orphan);

-- Receipts that a newer one replaced after the server was restored from a backup. Evidence: never deleted.
CREATE TABLE superseded_receipt (
    statement_id  TEXT NOT NULL REFERENCES statement (id),
    receipt       BLOB NOT NULL,
    registered_at INTEGER,
    tree_size     INTEGER,
    leaf_index    INTEGER,
    superseded_at INTEGER NOT NULL
) STRICT;

-- The log's heads that did not continue the one before. Evidence: never deleted.
CREATE TABLE log_break (
    noticed_at INTEGER NOT NULL,
    tree_size  INTEGER NOT NULL,   -- what was known
    root       BLOB NOT NULL,
    checkpoint BLOB NOT NULL       -- what the server signed then, as received
) STRICT;

-- Registered statements about which a restored server has still to be asked.
CREATE TABLE to_confirm (
    statement_id TEXT PRIMARY KEY NOT NULL REFERENCES statement (id)
) STRICT;
