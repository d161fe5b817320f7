-- The cache is disposable: it is filled again, with the ways between donations, components and whom they reached.
DELETE FROM feed;
DELETE FROM donor;
DELETE FROM resource;
DELETE FROM number;
DELETE FROM word;
DELETE FROM moved;
DELETE FROM stock_unit;
DELETE FROM stock_count;
DELETE FROM recipient;

-- d and a donation's number: what bears it; c and a component's id: what was made of it, issued, transfused or suspects it. A row may
-- outlive what it says: the resource is asked.
CREATE TABLE trace (
    key  TEXT NOT NULL,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (key, kind, id)
) STRICT, WITHOUT ROWID;
