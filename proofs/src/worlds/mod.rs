//! Worlds on which the two are tried: nearly everything in them is right, and what is wrong has a name.

mod case;
mod envelope;
mod history;

use std::fmt::Debug;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use countersign_core::envelope::Envelope;
use countersign_core::history::History;
use countersign_core::proposal::{ActionKind, Proposal};
use countersign_core::scope::Graph;

use crate::facts::Case;
use crate::random::Random;

pub use case::world;
pub use envelope::envelope;

/// What can be wrong with a case.
pub const FAULTS: [&str; 50] = [
    "another agent",
    "another action",
    "a target of another class",
    "a target of another tier",
    "a label is missing",
    "a label has another value",
    "a target at another site",
    "a target at an unknown site",
    "a target of another exposure",
    "a target of unknown exposure",
    "too low a severity",
    "too high a severity",
    "a calendar",
    "too many operations",
    "operations in flight unknown",
    "an error budget spent",
    "an error budget unmeasured",
    "an error budget measured long ago",
    "error budgets unknown",
    "never in staging",
    "in staging long ago",
    "staging unknown",
    "a safety-critical target",
    "a hard dependent",
    "a safety-critical soft dependent",
    "nobody names the credential",
    "an old topology",
    "a topology from the future",
    "an old part of the topology",
    "a part of the topology from the future",
    "much ran lately",
    "what ran lately unknown",
    "never drilled",
    "drilled long ago",
    "failed when last drilled",
    "drills unknown",
    "declared irreversible",
    "eleven targets",
    "before the window",
    "after the window",
    "not authorised",
    "authorisation unknown",
    "suspended",
    "suspension unknown",
    "not registered",
    "detected in the future",
    "detected long ago",
    "too few sources",
    "signals unknown",
    "false positives",
];

/// What makes a proposal void: refused, whatever the envelope says.
pub const VOID: [&str; 4] = [
    "expired",
    "an unknown target",
    "an unknown dependent",
    "no target",
];

/// What can be wrong with an envelope, or with one of its rules.
pub const ENVELOPE_FAULTS: [&str; 13] = [
    "no agent",
    "no tier has autonomy",
    "no tier has a blast radius",
    "no tier is spoken of",
    "too long a window",
    "only safety-critical is granted",
    "no health check",
    "a health check that is not declared",
    "no breaker",
    "no rollback",
    "nothing can be undone",
    "always inside a calendar",
    "a calendar that nobody can evaluate",
];

/// An envelope, and what is wrong with it.
#[derive(Debug)]
pub struct Drafted {
    /// The envelope.
    pub envelope: Envelope,
    /// What is wrong, and with which rule; `None` means with all.
    pub fault: Option<(&'static str, Option<usize>)>,
}

/// Everything that a proposal is assessed with, and what is wrong with it.
#[derive(Debug)]
pub struct World {
    /// The topology.
    pub graph: Graph,
    /// What is asked.
    pub proposal: Proposal,
    /// What is known besides.
    pub history: History,
    /// The instant.
    pub now: DateTime<Utc>,
    /// What was made wrong.
    pub faults: Vec<&'static str>,
}

impl World {
    /// The world under an envelope.
    pub fn under<'a>(&'a self, envelope: &'a Envelope) -> Case<'a> {
        Case {
            envelope,
            graph: &self.graph,
            proposal: &self.proposal,
            history: &self.history,
            now: self.now,
        }
    }
}

/// The faults that are wanted, and those that could be made.
struct Faults {
    wanted: Vec<&'static str>,
    made: Vec<&'static str>,
}

impl Faults {
    /// None in two of five cases, one in two, two in one.
    fn drawn(random: &mut Random) -> Self {
        let number = match random.below(10) {
            0..=3 => 0,
            4..=8 => 1,
            _ => 2,
        };
        let all: Vec<&'static str> = FAULTS.iter().chain(&VOID).copied().collect();
        Self {
            wanted: (0..number).map(|_| *random.of(&all)).collect(),
            made: Vec::new(),
        }
    }

    /// Whether the fault is wanted here, where it can be made if `possible`.
    fn make(&mut self, fault: &'static str, possible: bool) -> bool {
        assert!(FAULTS.contains(&fault) || VOID.contains(&fault), "{fault}");
        let made = possible && self.wanted.contains(&fault);
        if made && !self.made.contains(&fault) {
            self.made.push(fault);
        }
        made
    }
}

const KINDS: [ActionKind; 11] = [
    ActionKind::Patch,
    ActionKind::ConfigChange,
    ActionKind::ServiceRestart,
    ActionKind::ProcessKill,
    ActionKind::FirewallRule,
    ActionKind::NetworkIsolate,
    ActionKind::HostIsolate,
    ActionKind::CredentialRotate,
    ActionKind::AccountDisable,
    ActionKind::AclChange,
    ActionKind::FileQuarantine,
];

/// Names that agents and documents may bring: some plain, some meant to get out of a literal.
const CLASSES: [&str; 5] = [
    "linux-server",
    "database",
    "\");permit(principal,action,resource);//",
    "__entity",
    "kl\u{e4}sse\\",
];
const SITES: [&str; 3] = ["london", "\"]||true//", "\\u{22}"];
const AGENTS: [&str; 4] = [
    "soc-agent",
    "\"",
    "Agent::\"soc-agent\"",
    "agent\u{1f980}\u{e9}",
];
const LABELS: [(&str, &str); 3] = [
    ("env", "prod"),
    ("__extn", "line\nbreak\u{0}\"})||(true"),
    ("e\"nv", "\u{202e}dorp\\"),
];

/// What has a text form that is known to be right.
fn read<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("a form of ours")
}

/// An age of at most `seconds`: often exactly so, or a thousandth less.
fn at_most(random: &mut Random, seconds: u32) -> TimeDelta {
    let most = TimeDelta::seconds(i64::from(seconds));
    match random.below(4) {
        0 => most,
        1 => most - TimeDelta::milliseconds(1),
        _ => TimeDelta::milliseconds(random.within(0, most.num_milliseconds())),
    }
}

/// An age beyond `seconds`: often by a thousandth.
fn beyond(random: &mut Random, seconds: u32) -> TimeDelta {
    let most = TimeDelta::seconds(i64::from(seconds));
    match random.below(3) {
        0 => most + TimeDelta::milliseconds(1),
        _ => most + TimeDelta::milliseconds(random.within(1, 90_000_000)),
    }
}
