//! What will be signed, in one sentence, and what it would bring about, before the key is asked.

use countersign_core::decision::{ItemChoice, OperationChoice, Roster};
use countersign_core::envelope::Breaker;
use countersign_core::identifier::{ApproverId, SystemId};
use countersign_core::impact::{self, Circumstances};
use countersign_core::scope::Graph;
use countersign_core::statement::DecisionKind;
use countersign_wire::client::operation::ReviewedOperation;
use countersign_wire::client::review::Reviewed;
use countersign_wire::queue::{DecisionSummary, QueueItem};
use countersign_wire::view::DecisionPreview;

use super::{briefing, consequence, may, quote, words};

/// Systems named one by one.
const NAMED_MAX: usize = 5;

/// For an item.
#[must_use]
pub fn item(
    reviewed: &Reviewed,
    item: &QueueItem,
    choice: &ItemChoice,
    roster: &Roster,
    approver: Option<&ApproverId>,
    deployment: &str,
) -> DecisionPreview {
    let briefing = reviewed.briefing();
    let graph = Graph::new(reviewed.topology());
    let evaluation = briefing::evaluate(reviewed, &graph);
    let action = &briefing.proposal.action;
    let title = words::title(&graph, action, &evaluation.reach);
    let at = quote::title(deployment);
    let narrowing = match choice {
        ItemChoice::Reject => {
            return DecisionPreview {
                sentence: format!("You reject «{title}» at {at}."),
                effects: vec!["Nothing runs, and the agent is told to stop.".to_owned()],
            };
        }
        ItemChoice::Approve { narrowing } => narrowing,
    };
    let all = evaluation.targets.systems.len() as u64;
    let (sentence, consequence) = match narrowing {
        None => (
            format!("You approve «{title}» at {at}, as proposed."),
            consequence::sentences(
                &graph,
                action,
                &evaluation.reach,
                briefing::circumstances(briefing),
            ),
        ),
        Some(narrowing) => {
            let circumstances = Circumstances {
                concurrency: briefing.rollout.concurrency,
                history: Some(&briefing.history),
            };
            let reach = impact::reach(&graph, action, &narrowing.targets, circumstances);
            (
                format!(
                    "You approve less than was asked of «{title}» at {at}: {} of {}, {}.",
                    words::number(narrowing.targets.len() as u64),
                    words::count(all, "system", "systems"),
                    first_names(&narrowing.targets),
                ),
                consequence::sentences(&graph, action, &reach, briefing::circumstances(briefing)),
            )
        }
    };
    let mut effects = vec![consequence];
    effects.push(quorum(reviewed, item, roster, approver));
    let breaker = briefing.rollout.breaker.clone().unwrap_or_default();
    effects.push(tolerance(&breaker));
    if !briefing.rollback.reversible {
        effects.push("It cannot be undone.".to_owned());
    }
    DecisionPreview { sentence, effects }
}

/// What the breaker lets pass, and what it does not.
fn tolerance(breaker: &Breaker) -> String {
    let tolerated = |failures| words::count(u64::from(failures), "failed system", "failed systems");
    match (breaker.tolerated(), breaker.failures_percent) {
        (Some(0), _) | (_, Some(0)) | (None, None) => {
            "The first health check that fails, or that nobody can decide, halts it.".to_owned()
        }
        (Some(failures), None) => format!(
            "It goes on past {}; one more, or a check that nobody can decide, halts it.",
            tolerated(failures)
        ),
        (None, Some(percent)) => format!(
            "It goes on while at most {percent} % of a wave fail; more, or a check that nobody can decide, halts it."
        ),
        (Some(failures), Some(percent)) => format!(
            "It goes on past {} and while at most {percent} % of a wave fail; more, or a check that nobody can decide, halts it.",
            tolerated(failures)
        ),
    }
}

/// What this signature does to the quorum.
fn quorum(
    reviewed: &Reviewed,
    item: &QueueItem,
    roster: &Roster,
    approver: Option<&ApproverId>,
) -> String {
    let briefing = reviewed.briefing();
    let mut decisions = item.decisions.clone();
    decisions.extend(approver.map(|approver| DecisionSummary {
        decision: reviewed.digest(),
        kind: DecisionKind::Approve,
        approver: approver.clone(),
        name: String::new(),
        decided_at: briefing.assessed_at,
        narrowed: false,
    }));
    let missing = briefing
        .assessment
        .quorum
        .as_ref()
        .and_then(|rule| may::missing(roster, rule, DecisionKind::Approve, &decisions));
    match missing {
        Some(missing) => format!("It does not start yet: {missing} must sign the same."),
        None => "Your signature completes the quorum: it starts at once.".to_owned(),
    }
}

/// For an operation; `title` is [`super::operation::title`].
#[must_use]
pub fn operation(
    reviewed: &ReviewedOperation,
    title: &str,
    choice: &OperationChoice,
    deployment: &str,
) -> DecisionPreview {
    let subjects = reviewed.subjects();
    let id = quote::name(reviewed.document().operation.as_str());
    let at = quote::title(deployment);
    let touched = words::systems(&subjects.touched);
    let remaining = format!(
        "{} not touched and will not be.",
        words::count(subjects.remaining.len() as u64, "system is", "systems are")
    );
    match choice {
        OperationChoice::Continue { narrowing } => {
            let kept = narrowing
                .as_ref()
                .map_or(&subjects.remaining, |narrowing| &narrowing.targets);
            let mut effects = vec![
                format!("{touched} stay as they are now; nothing is undone."),
                "It goes on once the whole quorum has signed the same.".to_owned(),
                "The breaker counts its failures anew.".to_owned(),
            ];
            let left_out = subjects.remaining.len().saturating_sub(kept.len());
            if left_out > 0 {
                effects.push(format!(
                    "{} left out for good.",
                    words::count(left_out as u64, "system is", "systems are")
                ));
            }
            DecisionPreview {
                sentence: format!(
                    "You continue operation {id} («{title}») at {at} with {} not touched yet: {}.",
                    words::systems(kept),
                    first_names(kept)
                ),
                effects,
            }
        }
        OperationChoice::RollBack => DecisionPreview {
            sentence: format!(
                "You roll back operation {id} («{title}») at {at}: {touched}, {}.",
                first_names(&subjects.touched)
            ),
            effects: vec![
                format!(
                    "{touched} put back as before, the last one first, and compared with the snapshot taken before."
                ),
                remaining,
            ],
        },
        OperationChoice::Abort => DecisionPreview {
            sentence: format!(
                "You abort operation {id} («{title}») at {at} and leave everything as it is."
            ),
            effects: vec![
                format!("{touched} stay as they are now; nothing is undone."),
                remaining,
            ],
        },
    }
}

fn first_names<'a>(systems: impl IntoIterator<Item = &'a SystemId>) -> String {
    let mut names: Vec<&str> = systems.into_iter().map(SystemId::as_str).collect();
    names.sort_by_cached_key(|id| super::graph::natural(id));
    let shown: Vec<String> = names
        .iter()
        .take(NAMED_MAX)
        .map(|id| quote::name(id))
        .collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => words::list(&shown),
        more => format!(
            "{} and {} more",
            shown.join(", "),
            words::number(more as u64)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_breaker_lets_pass_is_told_as_it_counts() {
        let told = |failures, failures_percent| {
            tolerance(&Breaker {
                failures,
                failures_percent,
                ..Breaker::default()
            })
        };
        let first = "The first health check that fails, or that nobody can decide, halts it.";
        for (failures, percent) in [
            (None, None),
            (Some(0), None),
            (Some(0), Some(5)),
            (None, Some(0)),
            (Some(3), Some(0)),
        ] {
            assert_eq!(told(failures, percent), first, "{failures:?} {percent:?}");
        }
        assert_eq!(
            told(Some(1), None),
            "It goes on past 1 failed system; one more, or a check that nobody can decide, halts it."
        );
        assert_eq!(
            told(None, Some(5)),
            "It goes on while at most 5 % of a wave fail; more, or a check that nobody can decide, halts it."
        );
        assert_eq!(
            told(Some(2), Some(5)),
            "It goes on past 2 failed systems and while at most 5 % of a wave fail; more, or a check that nobody can decide, halts it."
        );
    }
}
