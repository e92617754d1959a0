//! `approve` and `reject`, about an item.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_core::assessment::{Clause, blocking};
use countersign_core::briefing::Briefing;
use countersign_core::decision::{item_rule, proposers};
use countersign_core::identifier::{ApproverId, ProposalId, SystemId};
use countersign_core::operation::{Authority, Decided, EventKind};
use countersign_core::proposal::Proposal;
use countersign_core::statement::DecisionKind;
use countersign_wire::proposal::ItemState;

use super::{Deciding, Outcome, form, offer, standing};
use crate::backend::Backend;
use crate::operate::{self, Beginning};
use crate::problem::{Refusal, codes};
use crate::propose::close;
use crate::sign_in::refused;
use crate::store::items::Item;
use crate::store::{StoreError, Tx, decisions, items, operations, payloads, registry};

/// An item that the decision may be recorded about.
pub(super) struct Ready {
    item: Item,
    briefing: Briefing,
}

/// Checks that the decision is about the item as it is, by somebody who may, in time.
pub(super) async fn check(
    tx: &mut Tx,
    deciding: &Deciding,
    id: &ProposalId,
) -> Result<Ready, Refusal> {
    let Deciding {
        about,
        decision,
        now,
    } = deciding;
    let item = items::find(tx, id)
        .await?
        .ok_or_else(|| codes::NOT_FOUND.because(format!("there is no item `{id}`")))?;
    let kind = decision.predicate().kind;
    check_open(tx, &item, kind, *now).await?;
    let bytes = payloads::get(tx, item.briefing).await?;
    let briefing: Briefing = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Damaged(format!("the briefing of `{id}`: {error}")))?;
    let latest = briefing.expires_at.min(briefing.proposal.expires_at);
    decision
        .confirm_item(&briefing, item.briefing, &offer(decision, latest)?)
        .map_err(|error| refused(&error))?;
    decision
        .check_submitted_at(*now)
        .map_err(|error| refused(&error))?;
    let rule = item_rule(&briefing, kind).map_err(|error| refused(&error))?;
    decision
        .check_eligible(&rule, &excluded(tx, &briefing.proposal).await?)
        .map_err(|error| refused(&error))?;
    let approver = &decision.approver().id;
    let decided = decisions::about(tx, about)
        .await?
        .iter()
        .any(|earlier| !earlier.voided && earlier.kind == kind && earlier.approver == *approver);
    if decided {
        return Err(codes::ALREADY_DECIDED
            .because(format!("`{approver}` has signed this already; once counts")));
    }
    if kind == DecisionKind::Approve {
        let blocking: BTreeSet<Clause> = blocking(&briefing.assessment.findings)
            .map(|finding| finding.clause)
            .collect();
        let unseen: Vec<String> = blocking
            .difference(&decision.predicate().acknowledged)
            .filter_map(|clause| {
                serde_json::to_value(clause)
                    .ok()?
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        if !unseen.is_empty() {
            return Err(codes::ACKNOWLEDGEMENT_MISSING.because(format!(
                "say that you have seen what blocks it: {}",
                unseen.join(", ")
            )));
        }
    }
    Ok(Ready { item, briefing })
}

/// Who may not decide about a proposal: whoever made it, and the people who operate that agent.
async fn excluded(tx: &mut Tx, proposal: &Proposal) -> Result<BTreeSet<ApproverId>, StoreError> {
    let mut excluded = proposers(proposal);
    excluded.extend(registry::operators(tx, &proposal.agent).await?);
    Ok(excluded)
}

/// An item takes decisions while it waits; a rejection also until the first dispatch.
async fn check_open(
    tx: &mut Tx,
    item: &Item,
    kind: DecisionKind,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), Refusal> {
    match item.state {
        ItemState::Waiting if item.expires_at <= now => {}
        ItemState::Waiting => return Ok(()),
        ItemState::Running if kind == DecisionKind::Reject => {
            if let Some(operation) = &item.operation {
                let machine = operations::machine(tx, operation).await?;
                if machine.touched().is_empty() && machine.ending().is_none() {
                    return Ok(());
                }
                return Err(codes::ITEM_CLOSED.because(format!(
                    "it was dispatched already; abort or roll back the operation `{operation}`"
                )));
            }
        }
        ItemState::Expired => {}
        ItemState::Running
        | ItemState::Done
        | ItemState::Halted
        | ItemState::RolledBack
        | ItemState::Aborted
        | ItemState::Rejected
        | ItemState::Superseded
        | ItemState::Refused
        | ItemState::Voided => {
            return Err(codes::ITEM_CLOSED.because(format!(
                "it does not wait for people any more: {}",
                item.message
            )));
        }
    }
    Err(codes::ITEM_EXPIRED.because(format!(
        "nobody decided until {}; the agent may propose it anew",
        item.expires_at
    )))
}

/// What follows from the recorded decision.
pub(super) async fn follow(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    deciding: &Deciding,
    ready: Ready,
) -> Result<Outcome, Refusal> {
    match deciding.decision.predicate().kind {
        DecisionKind::Reject => reject(backend, tx, deciding, &ready.item).await,
        DecisionKind::Approve => approve(backend, tx, deciding, ready).await,
        DecisionKind::Return
        | DecisionKind::Withdraw
        | DecisionKind::Continue
        | DecisionKind::RollBack
        | DecisionKind::Abort
        | DecisionKind::AuthoriseEnvelope
        | DecisionKind::RevokeEnvelope
        | DecisionKind::SuspendAutonomy
        | DecisionKind::ResumeAutonomy
        | DecisionKind::AcceptTopology
        | DecisionKind::Enrol
        | DecisionKind::SetAttestationList
        | DecisionKind::RotateLogKey
        | DecisionKind::Erase
        | DecisionKind::SuspendKey
        | DecisionKind::Delegate
        | DecisionKind::BreakGlass
        | DecisionKind::Review => {
            Err(codes::KIND_NOT_SUPPORTED.because("this is not decided about an item"))
        }
    }
}

/// One eligible approver is enough to stop it, also where the quorum was complete already.
async fn reject(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    deciding: &Deciding,
    item: &Item,
) -> Result<Outcome, Refusal> {
    close(
        tx,
        item,
        ItemState::Rejected,
        "A person rejected it; stop.",
        deciding.now,
    )
    .await?;
    if let Some(operation) = &item.operation {
        let event = EventKind::Abort {
            decision: deciding.decision.digest(),
        };
        operate::apply(backend, tx, operation, event).await?;
    }
    Ok(Outcome {
        missing: None,
        operation: None,
    })
}

async fn approve(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    deciding: &Deciding,
    Ready { item, briefing }: Ready,
) -> Result<Outcome, Refusal> {
    let sealed = backend.genesis()?;
    let approvals = standing(&sealed.roster, tx, &deciding.about, DecisionKind::Approve).await?;
    let rule = item_rule(&briefing, DecisionKind::Approve).map_err(|error| refused(&error))?;
    let quorum = match form(
        &approvals,
        &rule,
        &excluded(tx, &briefing.proposal).await?,
        deciding.now,
    ) {
        Ok(quorum) => quorum,
        Err(missing) => {
            return Ok(Outcome {
                missing: Some(missing),
                operation: None,
            });
        }
    };
    let targets: BTreeSet<SystemId> = match quorum.narrowing() {
        Some(narrowing) => narrowing.targets.clone(),
        None => briefing.waves.iter().flatten().cloned().collect(),
    };
    let decided = Decided::new(&quorum)
        .map_err(|error| codes::STATEMENT_MISMATCH.because(error.to_string()))?;
    let new = Beginning {
        id: None,
        item: Some((item.id.clone(), item.briefing)),
        authority: Authority::Decided(decided),
        action: briefing.proposal.action.clone(),
        title: item.card.title.clone(),
        targets,
        rollout: briefing.rollout.clone(),
        quorum: rule,
    };
    let operation = operate::begin(backend, tx, new).await?;
    Ok(Outcome {
        missing: None,
        operation: Some(operation),
    })
}
