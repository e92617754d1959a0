-- Times are milliseconds since 1970 (UTC). Digests are 64 lower-case hexadecimal digits.
-- Every table but the log and its hashes could be rebuilt from the log and the payloads.

-- The log: leaves, and the stored hashes of its perfect subtrees (core::log).
CREATE TABLE log_entry (
    idx       INTEGER PRIMARY KEY,
    kind      TEXT NOT NULL,
    item      TEXT,
    operation TEXT,
    envelope  TEXT,
    bytes     BLOB NOT NULL
) STRICT;
CREATE INDEX log_entry_item ON log_entry (item) WHERE item IS NOT NULL;
CREATE INDEX log_entry_operation ON log_entry (operation) WHERE operation IS NOT NULL;
CREATE INDEX log_entry_envelope ON log_entry (envelope) WHERE envelope IS NOT NULL;
CREATE INDEX log_entry_kind ON log_entry (kind, idx);

CREATE TABLE log_hash (
    position INTEGER PRIMARY KEY,
    hash     BLOB NOT NULL
) STRICT;

-- What the log names by digest: exact bytes, never changed.
CREATE TABLE payload (
    digest TEXT PRIMARY KEY,
    kind   TEXT NOT NULL,
    bytes  BLOB NOT NULL
) STRICT;

-- Names and rationales: the only texts that can be erased. The commitment stays elsewhere.
CREATE TABLE erasable (
    commitment TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    salt       BLOB NOT NULL,
    text       TEXT NOT NULL
) STRICT;

-- Genesis, before and after it is sealed.
CREATE TABLE genesis_draft (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
) STRICT;

CREATE TABLE genesis_registration (
    position   INTEGER PRIMARY KEY AUTOINCREMENT,
    approver   TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    salt       BLOB NOT NULL,
    roles      TEXT NOT NULL,
    state      TEXT NOT NULL,
    challenge  BLOB NOT NULL,
    credential TEXT,
    passkey    TEXT
) STRICT;

CREATE TABLE genesis (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    digest TEXT NOT NULL,
    bytes  BLOB NOT NULL
) STRICT;

-- People.
CREATE TABLE approver (
    id              TEXT PRIMARY KEY,
    roles           TEXT NOT NULL,
    name_commitment TEXT NOT NULL,
    credential_id   BLOB NOT NULL UNIQUE,
    passkey         TEXT NOT NULL,
    counter         INTEGER NOT NULL
) STRICT;

CREATE TABLE nonce (
    nonce      BLOB PRIMARY KEY,
    approver   TEXT NOT NULL,
    about      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER
) STRICT;
CREATE INDEX nonce_expires ON nonce (expires_ms);

CREATE TABLE session (
    token_hash BLOB PRIMARY KEY,
    approver   TEXT NOT NULL REFERENCES approver (id),
    expires_ms INTEGER NOT NULL
) STRICT;

-- Agents, sources, detection rules.
CREATE TABLE agent (
    id          TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE source (
    id          TEXT PRIMARY KEY,
    upstream    TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE detection (
    rule            TEXT NOT NULL,
    source          TEXT NOT NULL REFERENCES source (id),
    agents          TEXT NOT NULL,
    severity        TEXT NOT NULL,
    benign_patterns TEXT NOT NULL,
    PRIMARY KEY (rule, source)
) STRICT;

CREATE TABLE outcome (
    source         TEXT NOT NULL,
    detection      TEXT NOT NULL,
    rule           TEXT NOT NULL,
    false_positive INTEGER NOT NULL,
    approver       TEXT NOT NULL,
    at_ms          INTEGER NOT NULL,
    PRIMARY KEY (source, detection)
) STRICT;
CREATE INDEX outcome_rule ON outcome (rule, source, at_ms);

CREATE TABLE signal (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT NOT NULL REFERENCES source (id),
    upstream    TEXT NOT NULL,
    systems     TEXT NOT NULL,
    observed_ms INTEGER NOT NULL,
    observed_at TEXT NOT NULL
) STRICT;
CREATE INDEX signal_observed ON signal (observed_ms);

-- Documents in force.
CREATE TABLE topology (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    digest      TEXT NOT NULL REFERENCES payload (digest),
    imported_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE envelope (
    digest        TEXT PRIMARY KEY REFERENCES payload (digest),
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('draft', 'authorised', 'replaced')),
    imported_ms   INTEGER NOT NULL,
    authorised_ms INTEGER,
    before        TEXT,
    diff          TEXT
) STRICT;
CREATE UNIQUE INDEX envelope_in_force ON envelope (state) WHERE state = 'authorised';

-- Items.
CREATE TABLE item (
    id              TEXT PRIMARY KEY,
    agent           TEXT NOT NULL REFERENCES agent (id),
    idempotency_key TEXT NOT NULL,
    request         TEXT NOT NULL,
    state           TEXT NOT NULL,
    proposal        TEXT NOT NULL REFERENCES payload (digest),
    briefing        TEXT NOT NULL REFERENCES payload (digest),
    envelope        TEXT,
    card            TEXT NOT NULL,
    message         TEXT NOT NULL,
    received_ms     INTEGER NOT NULL,
    expires_ms      INTEGER NOT NULL,
    closed_ms       INTEGER,
    operation       TEXT,
    supersedes      TEXT,
    UNIQUE (agent, idempotency_key)
) STRICT;
CREATE INDEX item_open ON item (expires_ms, id) WHERE state = 'waiting';
CREATE INDEX item_state ON item (state, expires_ms, id);

-- Decisions. `about` is item, operation or envelope; `subject` its name or digest.
CREATE TABLE decision (
    digest            TEXT PRIMARY KEY REFERENCES payload (digest),
    about             TEXT NOT NULL,
    subject           TEXT NOT NULL,
    kind              TEXT NOT NULL,
    approver          TEXT NOT NULL REFERENCES approver (id),
    assertion         TEXT NOT NULL,
    narrowed          INTEGER NOT NULL,
    decided_ms        INTEGER NOT NULL,
    received_ms       INTEGER NOT NULL,
    log_index         INTEGER NOT NULL REFERENCES log_entry (idx),
    receipt           BLOB NOT NULL,
    receipt_signature BLOB NOT NULL,
    voided            INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX decision_subject ON decision (about, subject, log_index);

-- Operations: a snapshot of the state machine and the events since.
CREATE TABLE operation (
    id             TEXT PRIMARY KEY,
    item           TEXT REFERENCES item (id),
    authority      TEXT NOT NULL,
    title          TEXT NOT NULL,
    action         TEXT NOT NULL,
    document       TEXT NOT NULL REFERENCES payload (digest),
    rollout        TEXT NOT NULL,
    targets        TEXT NOT NULL,
    snapshot       TEXT NOT NULL,
    snapshot_after INTEGER NOT NULL,
    events         INTEGER NOT NULL,
    state          TEXT NOT NULL,
    started_ms     INTEGER NOT NULL,
    finished_ms    INTEGER,
    touched        TEXT NOT NULL DEFAULT '[]',
    trip_index     INTEGER REFERENCES log_entry (idx)
) STRICT;
CREATE INDEX operation_unfinished ON operation (id) WHERE finished_ms IS NULL;
CREATE INDEX operation_finished ON operation (finished_ms);

CREATE TABLE operation_event (
    operation TEXT NOT NULL REFERENCES operation (id),
    number    INTEGER NOT NULL,
    event     TEXT NOT NULL,
    PRIMARY KEY (operation, number)
) STRICT;

CREATE TABLE operation_system (
    operation TEXT NOT NULL REFERENCES operation (id),
    system    TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    message   TEXT,
    PRIMARY KEY (operation, system)
) STRICT;

CREATE TABLE drill (
    operation    TEXT PRIMARY KEY REFERENCES operation (id),
    action       TEXT NOT NULL,
    class        TEXT NOT NULL,
    succeeded_at TEXT NOT NULL,
    succeeded_ms INTEGER NOT NULL
) STRICT;
