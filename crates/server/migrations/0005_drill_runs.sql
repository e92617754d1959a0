-- Drills that were begun, the failed ones too: what a schedule is held against (AG-706 4.6).
CREATE TABLE drill_run (
    operation   TEXT PRIMARY KEY REFERENCES operation (id),
    action      TEXT NOT NULL,
    class       TEXT NOT NULL,
    system      TEXT NOT NULL,
    began_ms    INTEGER NOT NULL,
    scheduled   INTEGER NOT NULL,
    due_ms      INTEGER,
    result      TEXT NOT NULL,
    ended_ms    INTEGER,
    rollback_ms INTEGER,
    message     TEXT
) STRICT;
CREATE INDEX drill_run_pair ON drill_run (action, class, system, result, began_ms);

INSERT INTO drill_run (operation, action, class, system, began_ms, scheduled, result, ended_ms)
SELECT o.id, json_extract(o.snapshot, '$.authority.action'), json_extract(o.snapshot, '$.authority.class'),
       json_extract(o.targets, '$[0]'), o.started_ms, 0,
       CASE WHEN d.operation IS NOT NULL THEN 'passed'
            WHEN o.finished_ms IS NOT NULL OR o.trip_index IS NOT NULL THEN 'failed'
            ELSE 'under_way' END,
       CASE WHEN d.operation IS NOT NULL THEN d.succeeded_ms
            WHEN o.finished_ms IS NOT NULL THEN o.finished_ms
            WHEN o.trip_index IS NOT NULL THEN o.started_ms END
FROM operation o LEFT JOIN drill d ON d.operation = o.id
WHERE o.authority = 'drill';
