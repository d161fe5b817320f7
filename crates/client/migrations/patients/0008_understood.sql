-- The cache is disposable: it is filled again. Rows say what is not understood and what disagrees, and deferrals that could not be read
-- are not left out any more. `deferred` of `name` is 99999998 for who is not understood.
DELETE FROM feed;
DELETE FROM donor;
DELETE FROM name;
DELETE FROM resource;
DELETE FROM number;
DELETE FROM moved;
DELETE FROM stock_unit;
DELETE FROM stock_count;
DELETE FROM recipient;
DELETE FROM trace;
