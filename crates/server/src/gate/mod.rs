//! The gate before every dispatch (DESIGN §6.5): what gave the operation its right is verified again,
//! from the stored bytes, against the documents and people of this moment.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::briefing::{Briefing, Present, RunsBy, Standing, standing};
use countersign_core::decision::{Quorum, VerifiedDecision, item_rule, proposers};
use countersign_core::identifier::{Digest, OperationId};
use countersign_core::log::body::ApprovalVoided;
use countersign_core::operation::{Authority, Decided, EventKind, Operation, Sequence};
use countersign_core::scope::Graph;
use countersign_core::statement::DecisionKind;
use countersign_core::topology::Tier;
use countersign_wire::decision::About;
use countersign_wire::proposal::ItemState;

use crate::backend::Backend;
use crate::operate::{self, OperateError};
use crate::store::items::Item;
use crate::store::operations::{self, Stored};
use crate::store::{StoreError, Tx, decisions, items, payloads};

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be dispatched.
    Open,
    /// Not now.
    Held(String),
    /// Never: what was approved no longer holds.
    Void(String),
}

/// Answers the gate of an operation, in one transaction with the look at everything it rests on.
///
/// # Errors
/// [`OperateError`].
pub async fn answer(
    backend: &Arc<Backend>,
    id: &OperationId,
    sequence: Sequence,
) -> Result<(), OperateError> {
    let mut tx = backend.store.begin().await?;
    let stored = operations::find(&mut tx, id)
        .await?
        .ok_or_else(|| OperateError::Unknown(id.clone()))?;
    let machine = operations::machine(&mut tx, id).await?;
    let event = match check(backend, &mut tx, &stored, &machine).await? {
        Verdict::Open => EventKind::GateOpened { sequence },
        Verdict::Held(reason) => EventKind::GateClosed { sequence, reason },
        Verdict::Void(reason) => {
            void(backend, &mut tx, &stored, &reason).await?;
            EventKind::GateClosed { sequence, reason }
        }
    };
    operate::apply(backend, &mut tx, id, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Looks whether a held operation may go on, and lets it.
///
/// # Errors
/// [`OperateError`].
pub async fn look_again(backend: &Arc<Backend>, id: &OperationId) -> Result<(), OperateError> {
    let mut tx = backend.store.begin().await?;
    let Some(stored) = operations::find(&mut tx, id).await? else {
        return Ok(());
    };
    let machine = operations::machine(&mut tx, id).await?;
    if !matches!(
        machine.phase(),
        countersign_core::operation::Phase::Held { .. }
    ) {
        return Ok(());
    }
    match check(backend, &mut tx, &stored, &machine).await? {
        Verdict::Open => {
            operate::apply(backend, &mut tx, id, EventKind::Reopened).await?;
        }
        Verdict::Held(_) => return Ok(()),
        Verdict::Void(reason) => void(backend, &mut tx, &stored, &reason).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// Whether an operation may dispatch now.
///
/// # Errors
/// [`StoreError`].
pub async fn check(
    backend: &Backend,
    tx: &mut Tx,
    stored: &Stored,
    machine: &Operation,
) -> Result<Verdict, StoreError> {
    if backend.executors.of(stored.action.kind()).is_none() {
        return Ok(Verdict::Held(format!(
            "no executor carries `{}` out; configure one",
            stored.action.kind().as_str()
        )));
    }
    let Some(item) = &stored.item else {
        return Ok(Verdict::Open);
    };
    let item = items::find(tx, item).await?.ok_or_else(|| {
        StoreError::Damaged(format!("the item `{item}` of an operation is missing"))
    })?;
    match item.state {
        ItemState::Running | ItemState::Halted => {}
        ItemState::Voided => {
            return Ok(Verdict::Held(
                "the approval is void; abort it, or roll it back".to_owned(),
            ));
        }
        ItemState::Waiting
        | ItemState::Done
        | ItemState::RolledBack
        | ItemState::Aborted
        | ItemState::Rejected
        | ItemState::Expired
        | ItemState::Superseded
        | ItemState::Refused => return Ok(Verdict::Held("the item is closed".to_owned())),
    }
    let bytes = payloads::get(tx, item.briefing).await?;
    if Digest::of(&bytes) != item.briefing {
        return Ok(Verdict::Void("the stored briefing was changed".to_owned()));
    }
    let briefing: Briefing = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Damaged(format!("the briefing of `{}`: {error}", item.id)))?;
    let now = backend.clock.now();
    let runs_by = match machine.authority() {
        Authority::Drill(_) => return Ok(Verdict::Held("a drill carries no item out".to_owned())),
        Authority::Autonomous(grant) => {
            if briefing.digests.envelope != Some(grant.envelope()) {
                return Ok(Verdict::Void(
                    "the briefing is of another envelope".to_owned(),
                ));
            }
            RunsBy::Envelope
        }
        Authority::Decided(decided) => {
            if let Err(reason) = decision(backend, tx, &item, &briefing, decided, now).await? {
                return Ok(Verdict::Void(reason));
            }
            if let Some(reason) = unwitnessed(backend, &briefing) {
                return Ok(Verdict::Held(reason));
            }
            RunsBy::Decision
        }
    };
    still(backend, tx, &briefing, runs_by, now).await
}

/// Safety-critical operations start only under a checkpoint cosigned by a witness outside of this
/// backend's administration (DESIGN §7). There are none yet, so that only a demonstration starts them.
fn unwitnessed(backend: &Backend, briefing: &Briefing) -> Option<String> {
    let demonstration = backend
        .sealed()
        .is_some_and(|sealed| sealed.genesis.demonstration);
    let critical = briefing.assessment.scope.tier == Tier::SafetyCritical;
    (critical && !demonstration)
        .then(|| "no witness outside of this backend has cosigned the log; safety-critical systems wait for one".to_owned())
}

/// Verifies the stored decisions again and forms their quorum anew; why it no longer holds.
async fn decision(
    backend: &Backend,
    tx: &mut Tx,
    item: &Item,
    briefing: &Briefing,
    decided: &Decided,
    now: DateTime<Utc>,
) -> Result<Result<(), String>, StoreError> {
    let Some(sealed) = backend.sealed() else {
        return Ok(Err("there is no genesis".to_owned()));
    };
    let mut verified: Vec<VerifiedDecision> = Vec::new();
    for digest in decided.decisions() {
        let decision = match decisions::unverified(tx, *digest)
            .await?
            .verify(&sealed.roster)
        {
            Ok(decision) => decision,
            Err(error) => return Ok(Err(format!("a decision does not hold: {error}"))),
        };
        if let Err(error) =
            decision.confirm_item(briefing, item.briefing, &decision.claimed_offer())
        {
            return Ok(Err(format!("a decision is about something else: {error}")));
        }
        verified.push(decision);
    }
    let rule = match item_rule(briefing, DecisionKind::Approve) {
        Ok(rule) => rule,
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(
        match Quorum::form(&verified, &rule, &proposers(&briefing.proposal), now) {
            Ok(quorum) => match Decided::new(&quorum) {
                Ok(again) if again == *decided => Ok(()),
                Ok(_) => Err("the quorum is another one than it began with".to_owned()),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        },
    )
}

/// Whether the documents in force still say what the briefing does.
async fn still(
    backend: &Backend,
    tx: &mut Tx,
    briefing: &Briefing,
    runs_by: RunsBy,
    now: DateTime<Utc>,
) -> Result<Verdict, StoreError> {
    let Some((_, topology)) = backend.topology(tx).await? else {
        return Ok(Verdict::Void("there is no topology".to_owned()));
    };
    let envelope = backend.envelope(tx).await?.map(|(_, envelope)| envelope);
    let present = Present {
        autonomy_suspended: false,
        now,
    };
    let briefing = briefing.clone();
    let stands = tokio::task::spawn_blocking(move || {
        let graph = Graph::new(topology);
        standing(&briefing, runs_by, envelope.as_deref(), &graph, present)
    })
    .await
    .map_err(|error| {
        StoreError::Damaged(format!("the scope could not be recomputed: {error}"))
    })??;
    Ok(match stands {
        Standing::Stands => Verdict::Open,
        Standing::Held(reasons) => Verdict::Held(reasons.join("; ")),
        Standing::Void(reasons) => Verdict::Void(reasons.join("; ")),
    })
}

/// The approval no longer holds: the agent proposes anew, people decide anew.
async fn void(
    backend: &Backend,
    tx: &mut Tx,
    stored: &Stored,
    reason: &str,
) -> Result<(), StoreError> {
    let Some(item) = &stored.item else {
        return Ok(());
    };
    let now = backend.clock.now();
    tx.move_item(
        item,
        ItemState::Voided,
        "What it rests on has changed; stop, and propose it anew.",
        now,
    )
    .await?;
    tx.void_decisions(&About::Item(item.clone())).await?;
    let body = ApprovalVoided {
        item: item.clone(),
        operation: Some(stored.id.clone()),
        reason: reason.to_owned(),
    };
    tx.record(now, &body).await?;
    Ok(())
}
