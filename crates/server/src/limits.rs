//! Every bound of the backend in one place.

use std::time::Duration;

/// Largest envelope, bytes.
pub const ENVELOPE_BYTES_MAX: usize = 1 << 20;
/// Largest proposal, bytes.
pub const PROPOSAL_BYTES_MAX: usize = 1 << 20;
/// Largest topology, bytes.
pub const TOPOLOGY_BYTES_MAX: usize = 64 << 20;
/// Largest decision, bytes: its statement may name many narrowed targets.
pub const DECISION_BYTES_MAX: usize = 8 << 20;
/// Largest body of every other request, bytes.
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// How much of a body that is too large is read all the same, bytes.
pub const DRAIN_BYTES_MAX: usize = 32 << 20;
/// Longest text that a person or source sends (a rationale, a name, a summary), characters.
pub const TEXT_CHARS_MAX: usize = 4_000;
/// Systems that one signal may be about.
pub const SIGNAL_SYSTEMS_MAX: usize = 10_000;
/// People in a genesis.
pub const GENESIS_APPROVERS_MAX: i64 = 32;
/// Key models in a genesis.
pub const GENESIS_MODELS_MAX: usize = 16;

/// Items of one agent that may wait at once.
pub const OPEN_ITEMS_PER_AGENT_MAX: i64 = 500;
/// Items or operations on one page.
pub const PAGE_MAX: u32 = 200;
/// Items or operations on a page when nothing is asked for.
pub const PAGE_DEFAULT: u32 = 50;
/// Nonces for deciding that one approver may have open at once.
pub const DECISION_NONCES_MAX: i64 = 64;
/// Nonces for signing in that may be open for one approver at once; a further one replaces the oldest.
/// Strangers ask for them as well: at [`UNAUTHENTICATED_PER_SECOND`] from one address, a nonce lives
/// longer than [`NONCE_LIFE`] before it is replaced.
pub const SESSION_NONCES_MAX: i64 = 20_000;

/// How long a nonce may be used (DESIGN §6.2).
pub const NONCE_LIFE: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
/// How long an unused nonce is remembered after it expired, so that its refusal can say so.
pub const UNUSED_NONCE_MEMORY: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// How long a used nonce is remembered after it expired.
pub const NONCE_MEMORY: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// How long a session lasts.
pub const SESSION_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(12);
/// How far an approver's clock may be from ours (DESIGN §6.4).
pub const CLOCK_SKEW_MAX: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// Within which a decision is promised to be in the log (DESIGN §7).
pub const INCLUDED_WITHIN: chrono::TimeDelta = chrono::TimeDelta::seconds(10);
/// How far back outcomes count (DESIGN §5, 4.11).
pub const OUTCOMES_OVER: chrono::TimeDelta = chrono::TimeDelta::days(90);

/// How often expired items are looked for.
pub const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// How often held operations are looked at again.
pub const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(2);
/// How often the alerts of running operations are asked, and how long a calm answer counts.
pub const ALERTS_EVERY: Duration = Duration::from_secs(1);
/// How often unauthenticated refusals are written to the log.
pub const REFUSALS_EVERY: Duration = Duration::from_secs(60);
/// How often a live stream looks at the log without being told to.
pub const EVENTS_POLL: Duration = Duration::from_secs(1);
/// Log entries read at once for a live stream.
pub const EVENTS_BATCH: u32 = 256;
/// Live streams open at once.
pub const EVENT_STREAMS_MAX: usize = 256;

/// Unauthenticated requests a second, from one address, in the long run.
pub const UNAUTHENTICATED_PER_SECOND: f64 = 50.0;
/// Unauthenticated requests at once, from one address.
pub const UNAUTHENTICATED_BURST: f64 = 200.0;
/// Addresses whose requests are counted.
pub const ADDRESSES_MAX: usize = 4_096;

/// Log entries in one export of evidence; an operation on 10,000 systems writes some 60,000.
pub const EVIDENCE_ENTRIES_MAX: u32 = 200_000;

/// Largest answer of an executor, bytes.
pub const EXECUTOR_BYTES_MAX: usize = 1 << 20;
/// Longest error text kept of an executor, bytes.
pub const EXECUTOR_ERROR_BYTES_MAX: usize = 16 << 10;
/// Dependents whose health is asked for at once, for each system worked on.
pub const DEPENDENTS_AT_ONCE: usize = 16;
/// Fewest events of an operation between two snapshots of it.
pub const EVENTS_PER_SNAPSHOT: i64 = 64;
/// How long unfinished work is awaited when the backend stops.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);
