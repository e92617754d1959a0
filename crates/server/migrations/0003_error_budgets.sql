-- What sources last reported to be left of the error budgets of services (AG-706 4.1, conditions).
CREATE TABLE error_budget (
    source    TEXT NOT NULL REFERENCES source (id),
    service   TEXT NOT NULL,
    remaining TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    at        TEXT NOT NULL,
    PRIMARY KEY (source, service)
) STRICT;
