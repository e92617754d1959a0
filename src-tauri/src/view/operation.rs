//! Operations for the window.

use countersign_core::identifier::{Digest, SystemId};
use countersign_core::operation::Trip;
use countersign_core::statement::DecisionKind;
use countersign_wire::client::operation::ReviewedOperation;
use countersign_wire::operation::{Operation, OperationState, OperationSummary, SystemPhase};
use countersign_wire::queue::DecisionSummary;
use countersign_wire::view::{MayView, OperationRow, OperationView, SystemCell, TripView};

use super::may::{self, Viewer};
use super::queue::Glance;
use super::{quote, words};

/// An operation in a line; `title` is [`title`].
#[must_use]
pub fn row(summary: &OperationSummary, title: String) -> OperationRow {
    OperationRow {
        id: summary.id.as_str().to_owned(),
        item: summary.item.as_ref().map(|id| id.as_str().to_owned()),
        title,
        authority: summary.authority,
        state: summary.state,
        systems: summary.systems,
        healthy: summary.healthy,
        touched: summary.touched,
        wave: summary.wave,
        waves: summary.waves,
        started_at: summary.started_at,
        finished_at: summary.finished_at,
    }
}

/// What an operation does: in our own words where its briefing was read here, else in the backend's,
/// and said to be so. Where less was approved than the briefing proposed, that is said too.
#[must_use]
pub fn title(own: Option<&Glance>, summary: &OperationSummary) -> String {
    match own {
        Some(own) if summary.systems < own.targets() => format!(
            "{}: only {} of {}",
            own.title(),
            words::number(summary.systems),
            words::number(own.targets())
        ),
        Some(own) => own.title().to_owned(),
        None => format!("{}, in the backend's words", quote::quoted(&summary.title)),
    }
}

/// Why it halted, in a sentence; the measured value is the executor's.
fn halted(trip: &Trip) -> String {
    match &trip.failure.check {
        Some(check) => quote::line(&format!("{check}: {}", trip.failure.measured)),
        None => quote::line(&trip.failure.measured),
    }
}

/// The whole operation, of the documents that a decision names; `shown` is the digest that stands
/// for them. `title` is [`title`].
#[must_use]
pub fn view(
    operation: &Operation,
    reviewed: &ReviewedOperation,
    title: String,
    shown: Digest,
    viewer: &Viewer<'_>,
) -> OperationView {
    let subjects = reviewed.subjects();
    let by_key = may::decide_operation(viewer, reviewed.quorum());
    let (roll_back, abort) = open(operation.summary.state);
    let roll_back = roll_back.or(subjects
        .touched
        .is_empty()
        .then_some("Nothing was touched; abort it instead."));
    let may = |why_not: Option<&str>| match why_not {
        Some(why_not) => MayView {
            may: false,
            why_not: Some(why_not.to_owned()),
        },
        None => by_key.clone(),
    };
    let go_on = not_to_continue(operation).map_or_else(
        || may::decide_continue(viewer, reviewed.quorum()),
        |why_not| may(Some(why_not)),
    );
    let since_halted: Vec<DecisionSummary> = reviewed.trip().map_or_else(Vec::new, |trip| {
        let since = |decision: &&DecisionSummary| decision.decided_at >= trip.at;
        operation.decisions.iter().filter(since).cloned().collect()
    });
    let continue_missing = (operation.summary.state == OperationState::Halted)
        .then(|| {
            let kind = DecisionKind::Continue;
            may::missing(viewer.roster, reviewed.quorum(), kind, &since_halted)
        })
        .flatten();
    OperationView {
        row: row(&operation.summary, title),
        cells: operation
            .systems
            .iter()
            .map(|system| SystemCell {
                id: system.id.as_str().to_owned(),
                wave: system.wave,
                phase: system.phase,
                message: system.message.as_deref().map(quote::line),
                at: system.at,
            })
            .collect(),
        trip: reviewed.trip().map(|trip| TripView {
            system: trip
                .system
                .as_ref()
                .map_or("no system", SystemId::as_str)
                .to_owned(),
            message: halted(trip),
            at: trip.at,
            touched: subjects
                .touched
                .iter()
                .map(SystemId::as_str)
                .map(str::to_owned)
                .collect(),
            untouched: subjects.remaining.len() as u64,
        }),
        decisions: operation.decisions.iter().map(may::signed_by).collect(),
        may_continue: go_on,
        continue_missing,
        may_roll_back: may(roll_back),
        may_abort: may(abort),
        shown: shown.to_string(),
    }
}

/// Why it cannot go on by a decision, where it cannot.
fn not_to_continue(operation: &Operation) -> Option<&'static str> {
    let is = |phase: SystemPhase| operation.systems.iter().any(|system| system.phase == phase);
    if operation.summary.state != OperationState::Halted {
        return Some("It is not halted, so there is nothing to continue.");
    }
    if is(SystemPhase::Reverted) || is(SystemPhase::RevertFailed) {
        return Some("A rollback began; roll back again, or abort.");
    }
    if is(SystemPhase::InFlight) {
        return Some("Systems are still in flight; wait until they are reported.");
    }
    (!is(SystemPhase::Pending))
        .then_some("Every system was touched; there is nothing to go on with.")
}

/// Why it can no longer be rolled back, and why it can no longer be aborted, by its state.
const fn open(state: OperationState) -> (Option<&'static str>, Option<&'static str>) {
    match state {
        OperationState::Running | OperationState::Held | OperationState::Halted => (None, None),
        OperationState::RollbackFailed => (
            Some("Undoing it has failed and it has ended; the systems named below need people."),
            Some("It has ended; there is nothing to stop."),
        ),
        OperationState::RollingBack => (Some("It is being undone already."), None),
        OperationState::Completed => (
            Some("It has ended; undoing it takes a proposal of its own."),
            Some("It has ended; there is nothing to stop."),
        ),
        OperationState::RolledBack => (
            Some("It has been undone already."),
            Some("It has been undone; there is nothing to stop."),
        ),
        OperationState::Aborted => (
            Some("It was stopped and left as it is."),
            Some("It was stopped already."),
        ),
    }
}
