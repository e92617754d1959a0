//! Decisions about an item: its briefing, made again from the documents, and its quorum.

use super::BRIEFING;
use super::documents::canonical_document;
use super::report::Report;
use super::signatures::Recorded;
use super::verify::Case;
use crate::assessment::Verdict;
use crate::briefing::{self, Briefing};
use crate::decision::{Quorum, VerifiedDecision, item_rule, proposers};
use crate::envelope::Envelope;
use crate::identifier::Digest;
use crate::log::body::ProposalAssessed;
use crate::scope::Graph;
use crate::statement::{CORE_VERSION, DecisionKind, SubjectName};
use crate::topology::Topology;

/// A briefing whose every digest and conclusion was made again.
pub(super) struct Item {
    pub(super) briefing: Briefing,
    pub(super) digest: Digest,
}

/// Checks the briefing, if there is one, and the decisions about it.
pub(super) fn check(case: &Case<'_>, report: &mut Report) -> Option<Item> {
    let decisions = case.about(SubjectName::Briefing);
    let Some(bytes) = case.files.get(BRIEFING) else {
        if !decisions.is_empty() {
            report.fail(BRIEFING, "the briefing that was decided is missing");
        }
        return None;
    };
    let briefing: Briefing = match canonical_document(bytes) {
        Ok(briefing) => briefing,
        Err(error) => {
            report.fail(BRIEFING, error);
            return None;
        }
    };
    let item = Item {
        briefing,
        digest: Digest::of(bytes),
    };
    check_made_again(case, &item, report);
    check_logged(case, &item, report);
    let mut confirmed = Vec::new();
    for recorded in decisions {
        let subject = format!("decisions/{}", recorded.number);
        let offer = recorded.decision.claimed_offer();
        match recorded
            .decision
            .confirm_item(&item.briefing, item.digest, &offer)
        {
            Ok(()) => {
                report.hold(
                    &subject,
                    format!("it is about the item {} as briefed", item.briefing.item),
                );
                confirmed.push(recorded);
            }
            Err(error) => report.fail(&subject, format!("{error} ({})", error.code())),
        }
    }
    check_eligible(&item, &confirmed, report);
    check_quorum(&item, &confirmed, report);
    Some(item)
}

/// The console's own check, repeated: the whole briefing from envelope, topology, proposal, history
/// slice and plan at `assessed_at`, targets and neighbourhood digests among it.
fn check_made_again(case: &Case<'_>, item: &Item, report: &mut Report) {
    let briefing = &item.briefing;
    if briefing.audience != *case.roster.deployment() {
        report.fail(BRIEFING, "the briefing is of another deployment");
    }
    let topology = case
        .payloads
        .document::<Topology>(briefing.digests.topology);
    let envelope = briefing
        .digests
        .envelope
        .map(|digest| case.payloads.document::<Envelope>(digest))
        .transpose();
    let differences = match (topology, envelope) {
        (Ok(topology), Ok(envelope)) => {
            let graph = Graph::new(topology);
            briefing::recompute(briefing, envelope.as_ref(), &graph)
                .map_err(|error| error.to_string())
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match differences {
        Ok(differences) if differences.is_empty() => report.hold(
            BRIEFING,
            "the assessment, impact and digests were made again from the documents and are the same",
        ),
        Ok(differences) => report.fail(
            BRIEFING,
            format!(
                "made again by core {CORE_VERSION} it differs: {}",
                differences.join("; ")
            ),
        ),
        Err(error) => report.fail(BRIEFING, error),
    }
}

fn check_logged(case: &Case<'_>, item: &Item, report: &mut Report) {
    let logged = case.log.entries.iter().find_map(|(index, logged)| {
        let body: ProposalAssessed = logged.entry.body().ok()?;
        (body.briefing == item.digest && body.item == item.briefing.item).then_some((*index, body))
    });
    match logged {
        Some((index, body)) if body == ProposalAssessed::of(&item.briefing, item.digest) => {
            report.hold(
                BRIEFING,
                format!("the assessment is entry {index} of the log"),
            );
        }
        Some((index, _)) => {
            report.fail(
                BRIEFING,
                format!("entry {index} of the log says otherwise than the briefing"),
            );
        }
        None => report.fail(BRIEFING, "no entry of the log records this assessment"),
    }
}

fn check_eligible(item: &Item, confirmed: &[Recorded], report: &mut Report) {
    let excluded = proposers(&item.briefing.proposal);
    for recorded in confirmed {
        let subject = format!("decisions/{}", recorded.number);
        let kind = recorded.decision.predicate().kind;
        let eligible = item_rule(&item.briefing, kind)
            .and_then(|rule| recorded.decision.check_eligible(&rule, &excluded));
        match eligible {
            Ok(()) => report.hold(
                &subject,
                "the approver was eligible and is not the proposer",
            ),
            Err(error) => report.fail(&subject, format!("{error} ({})", error.code())),
        }
    }
}

fn check_quorum(item: &Item, confirmed: &[Recorded], report: &mut Report) {
    let approvals: Vec<&Recorded> = confirmed
        .iter()
        .filter(|recorded| recorded.decision.predicate().kind == DecisionKind::Approve)
        .collect();
    let Some(completed_at) = approvals.iter().map(|recorded| recorded.at).max() else {
        return;
    };
    let decisions: Vec<VerifiedDecision> = approvals
        .iter()
        .map(|recorded| recorded.decision.clone())
        .collect();
    let excluded = proposers(&item.briefing.proposal);
    let formed = item_rule(&item.briefing, DecisionKind::Approve)
        .map_err(|error| error.to_string())
        .and_then(|rule| {
            Quorum::form(&decisions, &rule, &excluded, completed_at)
                .map_err(|error| error.to_string())
        });
    match formed {
        Ok(quorum) => {
            let names: Vec<_> = quorum
                .decisions()
                .iter()
                .map(|d| d.approver().id.to_string())
                .collect();
            let reach = quorum.narrowing().map_or_else(
                || "all that was proposed".to_owned(),
                |narrowing| {
                    format!(
                        "{} of the proposed targets and no other",
                        narrowing.targets.len()
                    )
                },
            );
            report.hold(
                "quorum",
                format!(
                    "{} approved {reach}; the quorum is complete",
                    names.join(", ")
                ),
            );
        }
        Err(error) => report.note(
            "quorum",
            format!("{error}; these approvals let nothing run"),
        ),
    }
}

impl Item {
    /// Whether the assessment itself lets it run.
    pub(super) fn is_autonomous(&self) -> bool {
        self.briefing.assessment.verdict == Verdict::Autonomous
    }
}
