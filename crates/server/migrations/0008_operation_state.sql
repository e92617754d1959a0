-- What grows with the systems of an operation lies apart from what every event reads and counts: a row
-- is written whole, however little of it changes.
CREATE TABLE operation_state (
    operation TEXT PRIMARY KEY REFERENCES operation (id),
    targets   TEXT NOT NULL,
    snapshot  TEXT NOT NULL
) STRICT;
INSERT INTO operation_state (operation, targets, snapshot) SELECT id, targets, snapshot FROM operation;
ALTER TABLE operation DROP COLUMN targets;
ALTER TABLE operation DROP COLUMN snapshot;
