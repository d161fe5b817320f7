-- What was published, verbatim. Version 1 is built in and has no row here.
CREATE TABLE document_texts (
    digest    BYTEA PRIMARY KEY REFERENCES documents (digest),
    kk        TEXT NOT NULL,
    ru        TEXT NOT NULL,
    structure TEXT NOT NULL
);
