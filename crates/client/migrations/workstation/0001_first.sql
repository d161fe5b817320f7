-- The workstation's own store. Every row that matters to the gate is a signed message and is verified again each time it is used.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT;

-- One enrolment of one person on this workstation. A person who enrols again gets a new row; the newest that was not refused counts.
CREATE TABLE identity (
    id         INTEGER PRIMARY KEY,
    person_id  TEXT NOT NULL,
    login      TEXT NOT NULL,
    name       TEXT,
    role       TEXT,
    wrapped    BLOB,              -- the person's keys under K_local; NULL once destroyed
    created_at INTEGER NOT NULL,
    signed_in_at INTEGER,
    refused    TEXT               -- code of the permanent refusal
) STRICT;
CREATE INDEX identity_by_person ON identity (person_id, id);

CREATE TABLE attempt (
    person_id TEXT PRIMARY KEY NOT NULL,
    failures  INTEGER NOT NULL,
    wait_until INTEGER NOT NULL
) STRICT;

CREATE TABLE statement (
    id          TEXT PRIMARY KEY NOT NULL,  -- leaf hash, hex
    item_id     TEXT NOT NULL UNIQUE,       -- SHA-256 of the bytes, hex: the name of the sealed file
    kind        TEXT NOT NULL,              -- enrolment | acceptance | device-refusal
    identity    INTEGER REFERENCES identity (id),
    sequence    INTEGER UNIQUE,             -- acceptances and refusals: per device, from 1
    bytes       BLOB NOT NULL,              -- as signed
    document_version INTEGER,
    document_sha256  TEXT,
    effective_from   INTEGER,
    created_at  INTEGER NOT NULL,
    sent_at     INTEGER,
    receipt     BLOB,                       -- as received, verified before it was stored
    verified_at INTEGER,
    registered_at INTEGER,
    tree_size   INTEGER,
    leaf_index  INTEGER
) STRICT;
CREATE INDEX statement_by_identity ON statement (identity, kind);

-- Index of outbox/<id>.sealed. `sealed` repeats the file's bytes until the server's acknowledgement.
CREATE TABLE outbox (
    id         TEXT PRIMARY KEY NOT NULL,
    kind       TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL DEFAULT 0,   -- Unix milliseconds
    error      TEXT,                              -- code of the last failure
    wedged     INTEGER NOT NULL DEFAULT 0         -- 1: waits for a person, not for time
) STRICT;

-- The newest grant of each person: COSE as received.
CREATE TABLE grant_message (
    person_id TEXT PRIMARY KEY NOT NULL,
    bytes     BLOB NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;
