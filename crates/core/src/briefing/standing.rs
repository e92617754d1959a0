//! Whether what was approved, or assessed as autonomous, still stands at the moment of execution (DESIGN §6.5).

use chrono::{DateTime, Utc};

use super::Briefing;
use crate::assessment::calendar;
use crate::canonical::{self, CanonicalError};
use crate::envelope::{Envelope, Rule};
use crate::impact::{self, Circumstances};
use crate::scope::{self, Graph};
use crate::suspension::Suspended;

/// By what an operation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsBy {
    /// The envelope alone.
    Envelope,
    /// A quorum's decision.
    Decision,
}

/// What is true now besides the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The suspension that stops what the briefing's agent proposes and its rule would let run, if any.
    pub suspended: Option<Suspended>,
    /// The instant.
    pub now: DateTime<Utc>,
}

/// Whether an operation may dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Stands,
    /// Not now; these must pass first.
    Held(Vec<String>),
    /// Never: what was approved is no longer what would happen. The item is assessed anew.
    Void(Vec<String>),
}

/// Holds a briefing against the documents in force. New or lost members, changed tiers,
/// dependencies or groups within the scope void it; changes elsewhere and time stamps do not. A
/// calendar or the authority window holds it, unless the signed briefing already showed it closed.
///
/// # Errors
/// [`CanonicalError`] where a document in force has no digest.
pub fn standing(
    briefing: &Briefing,
    runs_by: RunsBy,
    envelope: Option<&Envelope>,
    graph: &Graph,
    present: &Present,
) -> Result<Standing, CanonicalError> {
    let void = changed(briefing, envelope, graph)?;
    Ok(if void.is_empty() {
        standing_unchanged(briefing, runs_by, envelope, present)
    } else {
        Standing::Void(void)
    })
}

/// What within the scope of a briefing, or of its envelope, is no longer as it was. It depends on the
/// documents alone, whose digests say whether it has to be asked again.
///
/// # Errors
/// [`CanonicalError`] where a document in force has no digest.
fn changed(
    briefing: &Briefing,
    envelope: Option<&Envelope>,
    graph: &Graph,
) -> Result<Vec<String>, CanonicalError> {
    let mut void = Vec::new();
    let targets = scope::resolve(graph, &briefing.proposal.targets);
    if scope::targets_digest(&targets.systems)? != briefing.digests.targets {
        void.push("the targets are not those that were assessed".to_owned());
    }
    let rule = rule_of(briefing, envelope);
    let reach = impact::reach(
        graph,
        &briefing.proposal.action,
        &targets.systems,
        Circumstances {
            concurrency: rule.and_then(|rule| rule.rollout.concurrency),
            history: Some(&briefing.history),
        },
    );
    if reach.neighbourhood(graph).digest()? != briefing.digests.neighbourhood {
        void.push("systems, tiers or dependencies within the scope have changed".to_owned());
    }
    if reach.tier > briefing.assessment.scope.tier {
        void.push(format!("the scope is {} now", reach.tier));
    }
    if envelope.map(canonical::digest).transpose()? != briefing.digests.envelope {
        void.push("another envelope is in force".to_owned());
    }
    Ok(void)
}

/// As [`standing`], for a briefing that it did not find void under these very documents: what time and
/// people change.
#[must_use]
pub fn standing_unchanged(
    briefing: &Briefing,
    runs_by: RunsBy,
    envelope: Option<&Envelope>,
    present: &Present,
) -> Standing {
    let rule = rule_of(briefing, envelope);
    let mut held = Vec::new();
    if runs_by == RunsBy::Envelope
        && let Some(suspended) = &present.suspended
    {
        held.push(suspended.to_string());
    }
    if let Some(envelope) = envelope {
        let authority = &envelope.authority;
        let in_window = |at: DateTime<Utc>| authority.effective <= at && at < authority.expires;
        if !in_window(present.now) && in_window(briefing.assessed_at) {
            held.push("the envelope is not in force".to_owned());
        }
        for name in rule.into_iter().flat_map(|rule| &rule.conditions.outside) {
            let closed = |at| calendar::contains(&envelope.calendars, name, at) != Some(false);
            if closed(present.now) && !closed(briefing.assessed_at) {
                held.push(format!("now is inside {name}"));
            }
        }
        let inside: Vec<_> = rule
            .into_iter()
            .flat_map(|rule| &rule.conditions.inside)
            .collect();
        let open = |at| {
            inside
                .iter()
                .any(|name| calendar::contains(&envelope.calendars, name, at) == Some(true))
        };
        if !inside.is_empty() && !open(present.now) && open(briefing.assessed_at) {
            held.push("the calendars in which it may run are closed".to_owned());
        }
    }
    if held.is_empty() {
        Standing::Stands
    } else {
        Standing::Held(held)
    }
}

fn rule_of<'e>(briefing: &Briefing, envelope: Option<&'e Envelope>) -> Option<&'e Rule> {
    let id = briefing.assessment.rule.as_ref()?;
    envelope?.rules.iter().find(|rule| rule.id == *id)
}
