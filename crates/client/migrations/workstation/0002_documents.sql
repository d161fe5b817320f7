-- Published versions of the agreement after the built-in one. No row is believed: each is verified again when the store is opened.
CREATE TABLE document (
    version   INTEGER PRIMARY KEY NOT NULL,
    message   BLOB NOT NULL,                -- COSE as received
    kk        TEXT NOT NULL,
    ru        TEXT NOT NULL,
    structure TEXT NOT NULL
) STRICT;
