-- What left the scope of somebody who may hold it: its tombstone there, under the sequence of the change by which it left. Without `national`: it left
-- the stream `all` of `site`. With it: it left the safety streams of all sites but `site`, which is its own now.
CREATE TABLE departures (
    kind     TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    site     TEXT COLLATE "C" NOT NULL REFERENCES sites (code),
    national BOOLEAN NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (kind, id, site, national)
);
CREATE INDEX departures_site ON departures (national, site, sequence);
CREATE INDEX departures_national ON departures (national, sequence);
