-- As for SQLite, in the types of PostgreSQL. Ids and keys compare by their bytes, whatever the database's locale.
-- Times are Unix seconds (UTC). Hashes and keys are raw bytes. No login, name or IIN stands in a log table.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE sites (
    code              TEXT COLLATE "C" PRIMARY KEY,
    name_kk           TEXT NOT NULL,
    name_ru           TEXT NOT NULL,
    device_approval   TEXT NOT NULL CHECK (device_approval IN ('auto', 'manual')),
    time_zone         TEXT NOT NULL,
    support_contact   TEXT,
    offline_days      BIGINT NOT NULL,
    read_only_days    BIGINT NOT NULL,
    idle_lock_minutes BIGINT NOT NULL,
    break_glass       BOOLEAN NOT NULL,
    created_at        BIGINT NOT NULL
);

CREATE TABLE people (
    person_id  TEXT COLLATE "C" PRIMARY KEY,
    login      TEXT COLLATE "C" NOT NULL UNIQUE,
    site       TEXT COLLATE "C" NOT NULL REFERENCES sites (code),
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('clinician', 'registrar', 'dpo', 'admin')),
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- The public half of a one-time code only: no reader of this table can enrol in a person's name.
CREATE TABLE enrolment_codes (
    public_key BYTEA PRIMARY KEY,
    person_id  TEXT COLLATE "C" NOT NULL REFERENCES people (person_id),
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    revoked_at BIGINT
);
CREATE INDEX enrolment_codes_person ON enrolment_codes (person_id);

CREATE TABLE devices (
    device_id     TEXT COLLATE "C" PRIMARY KEY,
    signing_key   BYTEA NOT NULL UNIQUE,
    exchange_key  BYTEA NOT NULL,
    kid           BYTEA NOT NULL UNIQUE,
    site          TEXT COLLATE "C" NOT NULL REFERENCES sites (code),
    workstation   TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'revoked')),
    epoch         BIGINT NOT NULL,
    registered_at BIGINT NOT NULL
);

CREATE TABLE device_shares (
    device_id TEXT COLLATE "C" NOT NULL REFERENCES devices (device_id),
    epoch     BIGINT NOT NULL,
    share     BYTEA NOT NULL,
    PRIMARY KEY (device_id, epoch)
);

-- A person's keys on one device; a later enrolment there adds a row, the newest one counts for sessions.
CREATE TABLE person_keys (
    kid           BYTEA PRIMARY KEY,
    person_id     TEXT COLLATE "C" NOT NULL REFERENCES people (person_id),
    device_id     TEXT COLLATE "C" NOT NULL REFERENCES devices (device_id),
    signing_key   BYTEA NOT NULL,
    exchange_key  BYTEA NOT NULL,
    leaf          BYTEA NOT NULL UNIQUE,
    registered_at BIGINT NOT NULL
);
CREATE INDEX person_keys_person ON person_keys (person_id, device_id);

CREATE TABLE log_head (
    id        BIGINT PRIMARY KEY CHECK (id = 1),
    tree_size BIGINT NOT NULL
);
INSERT INTO log_head (id, tree_size) VALUES (1, 0);

CREATE TABLE log_entries (
    leaf_index    BIGINT PRIMARY KEY,
    leaf          BYTEA NOT NULL UNIQUE,
    kind          TEXT COLLATE "C" NOT NULL,
    statement     BYTEA NOT NULL,
    receipt       BYTEA NOT NULL,
    registered_at BIGINT NOT NULL
);

-- Hashes of complete subtrees: appending and proving touch O(log n) rows.
CREATE TABLE log_nodes (
    level BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    hash  BYTEA NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE documents (
    digest         BYTEA PRIMARY KEY,
    version        BIGINT NOT NULL UNIQUE,
    effective_from BIGINT NOT NULL,
    material       BOOLEAN NOT NULL,
    message        BYTEA NOT NULL
);

-- What a person, or an anonymous device, decided about a document.
CREATE TABLE decisions (
    leaf         BYTEA PRIMARY KEY,
    leaf_index   BIGINT NOT NULL UNIQUE,
    person_id    TEXT COLLATE "C" REFERENCES people (person_id),
    device_id    TEXT COLLATE "C" NOT NULL REFERENCES devices (device_id),
    document     BYTEA NOT NULL REFERENCES documents (digest),
    accepted     BOOLEAN NOT NULL,
    effective_at BIGINT NOT NULL,
    sequence     BIGINT NOT NULL
);
CREATE INDEX decisions_person ON decisions (person_id, device_id, document);

CREATE TABLE challenges (
    hash       BYTEA PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash BYTEA PRIMARY KEY,
    person_id  TEXT COLLATE "C" NOT NULL REFERENCES people (person_id),
    device_id  TEXT COLLATE "C" NOT NULL REFERENCES devices (device_id),
    kid        BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE change_head (
    id       BIGINT PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL,
    floor    BIGINT NOT NULL
);
INSERT INTO change_head (id, sequence, floor) VALUES (1, 0, 0);

-- The newest version of each resource, in the order of the change feed; a deleted one keeps its row.
CREATE TABLE resources (
    kind     TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    site     TEXT COLLATE "C" NOT NULL REFERENCES sites (code),
    safety   BOOLEAN NOT NULL,
    national BOOLEAN NOT NULL,
    deleted  BOOLEAN NOT NULL,
    sequence BIGINT NOT NULL UNIQUE,
    body     TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX resources_site ON resources (site, sequence);
CREATE INDEX resources_safety ON resources (safety, sequence);

CREATE TABLE audit_events (
    hash        BYTEA PRIMARY KEY,
    id          BYTEA NOT NULL,
    device_id   TEXT COLLATE "C" NOT NULL REFERENCES devices (device_id),
    sequence    BIGINT NOT NULL,
    previous    BYTEA,
    person_id   TEXT COLLATE "C",
    action      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    reference   TEXT,
    at          BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    message     BYTEA NOT NULL
);
CREATE INDEX audit_events_device ON audit_events (device_id, sequence);
CREATE INDEX audit_events_id ON audit_events (id);

-- kind 'missing': these sequences have not come (closed_at: they came later); 'broken': the event at `first` does not continue
-- the one before it; 'fork': two different events claim `first`.
CREATE TABLE audit_gaps (
    device_id   TEXT COLLATE "C" NOT NULL REFERENCES devices (device_id),
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('missing', 'broken', 'fork')),
    first       BIGINT NOT NULL,
    last        BIGINT NOT NULL,
    detected_at BIGINT NOT NULL,
    closed_at   BIGINT,
    PRIMARY KEY (device_id, kind, first, detected_at)
);
