-- Marks of the history of the feed: of what was said from `first` on and of all before it. A server that was restored from a backup and goes on
-- otherwise gives out the same sequences again, under other marks, and knows a cursor of before by its own.
CREATE TABLE change_marks (
    first BIGINT PRIMARY KEY,
    mark  INTEGER NOT NULL
);
