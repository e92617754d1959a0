//! The gate before every revert: a rollback rests on a person's signature, which is verified again
//! before each system is touched (DESIGN §6.5). Nothing but a drill undoes itself.

use countersign_core::assessment::QuorumRule;
use countersign_core::briefing::Briefing;
use countersign_core::decision::{OperationDocument, item_rule, operation_rule};
use countersign_core::envelope::Envelope;
use countersign_core::identifier::Digest;
use countersign_core::operation::{Authority, Operation};
use countersign_core::statement::DecisionKind;
use countersign_wire::decision::About;

use crate::backend::Backend;
use crate::decide::operation::{excluded, subjects};
use crate::propose::quorum_of;
use crate::store::operations::Stored;
use crate::store::{Conn, StoreError, decisions, items, payloads};

/// Whether a system of this operation may be reverted by this decision, or by none; why not.
///
/// # Errors
/// [`StoreError`], but for damaged records, which are a reason.
pub async fn check(
    backend: &Backend,
    conn: &mut Conn,
    stored: &Stored,
    machine: &Operation,
    decision: Option<Digest>,
) -> Result<Result<(), String>, StoreError> {
    let checked = async {
        if let Err(reason) = super::agree(stored, machine) {
            return Ok(Err(reason));
        }
        match decision {
            Some(decision) => decided(backend, conn, stored, machine, decision).await,
            None => super::drill(backend, conn, stored, machine).await,
        }
    };
    match checked.await {
        Err(StoreError::Damaged(reason)) => Ok(Err(format!("a record is damaged: {reason}"))),
        checked => checked,
    }
}

/// Verifies the decision as it was when it was taken: signature, subjects, who may.
async fn decided(
    backend: &Backend,
    conn: &mut Conn,
    stored: &Stored,
    machine: &Operation,
    digest: Digest,
) -> Result<Result<(), String>, StoreError> {
    let Some(sealed) = backend.sealed() else {
        return Ok(Err("there is no genesis".to_owned()));
    };
    let document: OperationDocument = payloads::value(conn, stored.document).await?;
    if let Err(reason) = is_of(backend, conn, stored, machine, &document).await? {
        return Ok(Err(reason));
    }
    let recorded = decisions::about(conn, &About::Operation(stored.id.clone()))
        .await?
        .into_iter()
        .find(|recorded| recorded.digest == digest && !recorded.voided);
    let Some(recorded) = recorded else {
        return Ok(Err(
            "no decision about this operation rolls it back".to_owned()
        ));
    };
    let decision = match decisions::unverified(conn, digest)
        .await?
        .verify(&sealed.roster)
    {
        Ok(decision) => decision,
        Err(error) => return Ok(Err(format!("the decision does not hold: {error}"))),
    };
    let subjects = subjects(conn, stored).await?;
    let excluded = excluded(conn, stored).await?;
    let checked = if decision.predicate().kind == DecisionKind::RollBack {
        decision
            .confirm_operation(&subjects, &decision.claimed_offer())
            .and_then(|()| decision.check_valid_at(recorded.received_at))
            .and_then(|()| operation_rule(&document, DecisionKind::RollBack))
            .and_then(|rule| decision.check_eligible(&rule, &excluded))
            .map_err(|error| format!("the decision does not hold: {error}"))
    } else {
        Err("the decision is not to roll back".to_owned())
    };
    Ok(checked)
}

/// That the document which was signed for describes this operation, and names those who may decide.
pub(super) async fn is_of(
    backend: &Backend,
    conn: &mut Conn,
    stored: &Stored,
    machine: &Operation,
    document: &OperationDocument,
) -> Result<Result<(), String>, StoreError> {
    let described = document.operation == stored.id
        && document.audience == backend.deployment
        && document.item == stored.item
        && document.authority == *machine.authority()
        && document.action == stored.action.kind();
    if !described {
        return Ok(Err("the document is of another operation".to_owned()));
    }
    let Some(item) = &stored.item else {
        return Ok(Ok(()));
    };
    let item = items::find(conn, item).await?.ok_or_else(|| {
        StoreError::Damaged(format!("the item `{item}` of an operation is missing"))
    })?;
    let briefing: Briefing = payloads::value(conn, item.briefing).await?;
    let quorum: Option<QuorumRule> = match machine.authority() {
        Authority::Decided(_) => item_rule(&briefing, DecisionKind::Approve).ok(),
        Authority::Autonomous(grant) => {
            let envelope: Envelope = payloads::value(conn, grant.envelope()).await?;
            Some(quorum_of(&briefing, Some(&envelope)))
        }
        Authority::Drill(_) => None,
    };
    let agrees = document.briefing == Some(item.briefing)
        && briefing.item == item.id
        && stored.action == briefing.proposal.action
        && quorum.as_ref() == Some(&document.quorum);
    Ok(if agrees {
        Ok(())
    } else {
        Err("the operation is not what was briefed".to_owned())
    })
}
