-- The cache is disposable: it is filled again. `spelling` of `name` and `recipient` is now the words of the name, lower case, without what is not
-- heard in them, a space before each; and recipients have other search keys in `terms`.
DELETE FROM feed;
DELETE FROM donor;
DELETE FROM resource;
DELETE FROM name;
DELETE FROM number;
DELETE FROM moved;
DELETE FROM stock_unit;
DELETE FROM stock_count;
DELETE FROM recipient;
DELETE FROM trace;

-- Lines up to the cursor that were no acceptable resource.
ALTER TABLE feed ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
