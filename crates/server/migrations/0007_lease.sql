-- Who writes: the epoch of the backend that took the store last. Every change is held against it.
CREATE TABLE lease (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO lease (one, epoch) VALUES (1, 0);
