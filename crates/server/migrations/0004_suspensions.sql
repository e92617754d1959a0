-- Suspensions of autonomy (AG-706 4.10). What is suspended now, the log says itself: it is replayed, and
-- no table says otherwise. Its entries are found again by the digest of the suspension.
ALTER TABLE log_entry ADD COLUMN suspension TEXT;
CREATE INDEX log_entry_suspension ON log_entry (suspension) WHERE suspension IS NOT NULL;
