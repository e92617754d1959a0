//! The gate before every dispatch (DESIGN §6.5): what gave the operation its right is verified again,
//! from the stored bytes, against the documents and people of this moment.

mod continued;
mod memory;
mod revert;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::briefing::{
    Briefing, Present, RunsBy, Standing, recompute, standing, standing_unchanged,
};
use countersign_core::decision::{Quorum, VerifiedDecision, item_rule, proposers};
use countersign_core::envelope::Envelope;
use countersign_core::identifier::{OperationId, SystemId};
use countersign_core::log::body::ApprovalVoided;
use countersign_core::operation::{
    Authority, Autonomous, Decided, EventKind, Operation, Sequence, System,
};
use countersign_core::scope::Graph;
use countersign_core::statement::DecisionKind;
use countersign_core::suspension::covering;
use countersign_core::topology::{Tier, Topology};
use countersign_wire::decision::About;
use countersign_wire::operation::AuthorityKind;
use countersign_wire::proposal::ItemState;

pub use memory::Memory;
pub use revert::check as check_revert;

use memory::Verified;

use crate::alerts::Alert;
use crate::authorised;
use crate::backend::Backend;
use crate::facts;
use crate::operate::{self, OperateError};
use crate::rehearsal;
use crate::store::items::Item;
use crate::store::operations::{self, Head, Stored};
use crate::store::{Conn, StoreError, Tx, decisions, items, payloads};
use crate::suspended;

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

/// Answers the gate of an operation, in one transaction with the look at everything it rests on. It stays
/// closed under an `alert`, by which the operation halts.
///
/// # Errors
/// [`OperateError`].
pub async fn answer(
    backend: &Arc<Backend>,
    id: &OperationId,
    sequence: Sequence,
    system: &SystemId,
    alert: Option<Alert>,
) -> Result<(), OperateError> {
    let mut tx = backend.store.begin().await?;
    let head = operations::head(&mut tx, id)
        .await?
        .ok_or_else(|| OperateError::Unknown(id.clone()))?;
    if let Some(alert) = alert {
        let reason = alert.to_string();
        operate::apply(backend, &mut tx, id, alert.into()).await?;
        let closed = EventKind::GateClosed { sequence, reason };
        operate::apply(backend, &mut tx, id, closed).await?;
        return Ok(tx.commit().await?);
    }
    let machine = tx.machine(id).await?;
    let event = match check(backend, &mut tx, &head, &machine, Some(system)).await? {
        Verdict::Open => EventKind::GateOpened { sequence },
        Verdict::Held(reason) => EventKind::GateClosed { sequence, reason },
        Verdict::Void(reason) => {
            void(backend, &mut tx, &head, &reason).await?;
            EventKind::GateClosed { sequence, reason }
        }
    };
    // Shared no longer, it is moved on in place.
    drop(machine);
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
    let Some(head) = operations::head(&mut tx, id).await? else {
        return Ok(());
    };
    let machine = tx.machine(id).await?;
    if !matches!(
        machine.phase(),
        countersign_core::operation::Phase::Held { .. }
    ) {
        return Ok(());
    }
    match check(backend, &mut tx, &head, &machine, None).await? {
        Verdict::Open => {
            drop(machine);
            operate::apply(backend, &mut tx, id, EventKind::Reopened).await?;
        }
        Verdict::Held(_) => return Ok(()),
        Verdict::Void(reason) => void(backend, &mut tx, &head, &reason).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// Whether an operation may dispatch now, to this system if one is named. A record that cannot be read
/// holds it.
///
/// # Errors
/// [`StoreError`], but for damaged records.
pub async fn check(
    backend: &Backend,
    tx: &mut Tx,
    head: &Head,
    machine: &Operation,
    system: Option<&SystemId>,
) -> Result<Verdict, StoreError> {
    match try_check(backend, tx, head, machine, system).await {
        Err(StoreError::Damaged(reason)) => {
            Ok(Verdict::Held(format!("a record is damaged: {reason}")))
        }
        verdict => verdict,
    }
}

async fn try_check(
    backend: &Backend,
    tx: &mut Tx,
    head: &Head,
    machine: &Operation,
    system: Option<&SystemId>,
) -> Result<Verdict, StoreError> {
    if backend.executors.of(head.action.kind()).is_none() {
        return Ok(Verdict::Held(format!(
            "no executor carries `{}` out; configure one",
            head.action.kind().as_str()
        )));
    }
    let Some(item) = &head.item else {
        let stored = whole(tx, &head.id).await?;
        if let Err(reason) = is_ours(&stored, machine, system) {
            return Ok(Verdict::Void(reason));
        }
        return Ok(match drill(backend, tx, &stored, machine).await? {
            Ok(()) => Verdict::Open,
            Err(reason) => Verdict::Held(reason),
        });
    };
    let item = items::find(tx, item).await?.ok_or_else(|| {
        StoreError::Damaged(format!("the item `{item}` of an operation is missing"))
    })?;
    if let Some(verdict) = closed(&item) {
        return Ok(verdict);
    }
    let topology = backend.graph(tx).await?.map(|(digest, _)| digest);
    let envelope = backend.envelope(tx).await?.map(|(digest, _)| digest);
    let known = backend
        .verified
        .get(&head.id, tx.generation())
        .filter(|known| {
            known.stored.item.as_ref() == Some(&item.id)
                && known.stored.action == head.action
                && known.digest == item.briefing
                && Some(known.topology) == topology
                && known.envelope == envelope
        });
    if let Some(known) = known {
        if system.is_some_and(|system| !known.stored.targets.contains(system)) {
            return Ok(Verdict::Void("the system is no target of it".to_owned()));
        }
        return now(
            backend,
            tx,
            &known.stored,
            machine,
            &item,
            &known.briefing,
            Scope::Unchanged,
        )
        .await;
    }
    let stored = whole(tx, &head.id).await?;
    if let Err(reason) = is_ours(&stored, machine, system) {
        return Ok(Verdict::Void(reason));
    }
    let briefing: Briefing = payloads::value(tx, item.briefing).await?;
    if let Err(reason) = carries_out(backend, &stored, machine, &item, &briefing) {
        return Ok(Verdict::Void(reason));
    }
    if let Err(reason) = looks_at(backend, tx, machine, &briefing).await? {
        return Ok(Verdict::Void(reason));
    }
    let verdict = now(
        backend,
        tx,
        &stored,
        machine,
        &item,
        &briefing,
        Scope::Unknown,
    )
    .await?;
    if let (Verdict::Open, Some(topology)) = (&verdict, topology) {
        backend.verified.put(Verified {
            generation: tx.generation(),
            stored,
            digest: item.briefing,
            briefing,
            topology,
            envelope,
        });
    }
    Ok(verdict)
}

/// Whether it is known that what an operation reaches is as it was assessed, by the documents in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// An earlier gate has shown it, and its grant with it, under these very documents.
    Unchanged,
    /// Nobody has looked yet.
    Unknown,
}

/// That the operation is the stored one, and the system one of its targets.
fn is_ours(stored: &Stored, machine: &Operation, system: Option<&SystemId>) -> Result<(), String> {
    agree(stored, machine)?;
    if system.is_some_and(|system| !stored.targets.contains(system)) {
        return Err("the system is no target of it".to_owned());
    }
    Ok(())
}

async fn whole(conn: &mut Conn, id: &OperationId) -> Result<Stored, StoreError> {
    operations::find(conn, id)
        .await?
        .ok_or_else(|| StoreError::Damaged(format!("the operation `{id}` is missing")))
}

/// What an item's state says against dispatching anything more.
fn closed(item: &Item) -> Option<Verdict> {
    match item.state {
        ItemState::Running | ItemState::Halted => None,
        ItemState::Voided => Some(Verdict::Held(
            "the approval is void; abort it, or roll it back".to_owned(),
        )),
        ItemState::Waiting
        | ItemState::Done
        | ItemState::RolledBack
        | ItemState::Aborted
        | ItemState::Rejected
        | ItemState::Expired
        | ItemState::Superseded
        | ItemState::Refused => Some(Verdict::Held("the item is closed".to_owned())),
    }
}

/// Whether what was briefed may be carried out at this moment.
async fn now(
    backend: &Backend,
    tx: &mut Tx,
    stored: &Stored,
    machine: &Operation,
    item: &Item,
    briefing: &Briefing,
    scope: Scope,
) -> Result<Verdict, StoreError> {
    if let Some(envelope) = briefing.digests.envelope
        && let Err(reason) = authorised::check(backend, tx, envelope).await?
        && backend.envelope(tx).await?.map(|(digest, _)| digest) == Some(envelope)
    {
        return Ok(Verdict::Void(format!(
            "its board has not put the envelope in force: {reason}"
        )));
    }
    let now = backend.clock.now();
    // What was approved was approved for its beginning; after a halt it goes on by a newer quorum.
    let approved_at = if machine.continued_by().is_empty() {
        now
    } else {
        let stored = whole(tx, &stored.id).await?;
        if let Err(reason) = continued::check(backend, tx, &stored, machine).await? {
            return Ok(Verdict::Void(reason));
        }
        stored.started_at
    };
    let runs_by = match machine.authority() {
        Authority::Drill(_) => return Ok(Verdict::Held("a drill carries no item out".to_owned())),
        Authority::Autonomous(grant) => {
            if scope == Scope::Unknown
                && let Err(reason) = autonomous(backend, tx, stored, briefing, grant).await?
            {
                return Ok(Verdict::Void(reason));
            }
            RunsBy::Envelope
        }
        Authority::Decided(decided) => {
            if let Err(reason) = decision(backend, tx, item, briefing, decided, approved_at).await?
            {
                return Ok(Verdict::Void(reason));
            }
            if let Some(reason) = unwitnessed(backend, briefing) {
                return Ok(Verdict::Held(reason));
            }
            RunsBy::Decision
        }
    };
    still(backend, tx, briefing, runs_by, now, scope).await
}

/// What is stored about an operation twice must be the same twice.
fn agree(stored: &Stored, machine: &Operation) -> Result<(), String> {
    let differs = |what: &str| Err(format!("the stored operation was changed: {what}"));
    if *machine.id() != stored.id {
        return differs("its state is that of another operation");
    }
    let authority = match machine.authority() {
        Authority::Autonomous(_) => AuthorityKind::Autonomous,
        Authority::Decided(_) => AuthorityKind::Decided,
        Authority::Drill(_) => AuthorityKind::Drill,
    };
    if authority != stored.authority {
        return differs("it runs by another authority than it began with");
    }
    let systems: BTreeSet<&SystemId> = machine.systems().iter().map(System::id).collect();
    if !systems.into_iter().eq(&stored.targets) {
        return differs("its systems are not its targets");
    }
    Ok(())
}

/// That the operation is what the briefing says: this item's action, rolled out so. For a decided
/// one that includes the systems that were signed for.
fn carries_out(
    backend: &Backend,
    stored: &Stored,
    machine: &Operation,
    item: &Item,
    briefing: &Briefing,
) -> Result<(), String> {
    let differs = |what: &str| Err(format!("the operation is not what was briefed: {what}"));
    if briefing.item != item.id || briefing.audience != backend.deployment {
        return differs("the briefing is of another item");
    }
    if stored.action != briefing.proposal.action {
        return differs("its action is another one");
    }
    if stored.rollout != briefing.rollout || !machine.is_built_by(&briefing.rollout) {
        return differs("its systems, waves or limits are others");
    }
    Ok(())
}

/// That it looks at the health of those whom the impact names, where its rollout says so.
async fn looks_at(
    backend: &Backend,
    conn: &mut Conn,
    machine: &Operation,
    briefing: &Briefing,
) -> Result<Result<(), String>, StoreError> {
    if briefing.rollout.dependents.is_empty() {
        return Ok(Ok(()));
    }
    let mut named = operate::dependents(backend, conn, briefing).await?;
    for system in machine.systems() {
        named.remove(system.id());
    }
    Ok(if machine.dependents().systems == named {
        Ok(())
    } else {
        Err("those whom its impact names are others".to_owned())
    })
}

/// Nobody signed for a drill: it must be one, and still harm nobody.
pub(super) async fn drill(
    backend: &Backend,
    conn: &mut Conn,
    stored: &Stored,
    machine: &Operation,
) -> Result<Result<(), String>, StoreError> {
    let Authority::Drill(rehearsal) = machine.authority() else {
        return Ok(Err("only a drill carries no item out".to_owned()));
    };
    let mut targets = stored.targets.iter();
    let (Some(system), None) = (targets.next(), targets.next()) else {
        return Ok(Err("a drill is of one system".to_owned()));
    };
    let kind = stored.action.kind();
    let as_rehearsed = rehearsal.action() == kind
        && !kind.is_irreversible()
        && !backend.config.irreversible().contains(&kind)
        && machine.is_built_by(&rehearsal::rollout(stored.rollout.health.clone()));
    if !as_rehearsed {
        return Ok(Err("it is not the drill that began".to_owned()));
    }
    let Some((_, graph)) = backend.graph(conn).await? else {
        return Ok(Err("there is no topology".to_owned()));
    };
    let mut history = facts::in_flight(conn).await?;
    if let Some(in_flight) = &mut history.in_flight {
        in_flight.retain(|other| other.operation != stored.id);
    }
    Ok(rehearsal::check(&graph, &stored.action, system, &history))
}

/// Assesses again what the envelope let run alone: from the documents of its briefing, whose digests
/// were verified, to the grant that it runs by.
async fn autonomous(
    backend: &Backend,
    tx: &mut Tx,
    stored: &Stored,
    briefing: &Briefing,
    grant: &Autonomous,
) -> Result<Result<(), String>, StoreError> {
    let granted = Autonomous::new(&briefing.assessment, grant.envelope());
    if granted.as_ref() != Ok(grant) || briefing.digests.envelope != Some(grant.envelope()) {
        return Ok(Err(
            "its assessment does not let it run alone under this envelope and rule".to_owned(),
        ));
    }
    let assessed: BTreeSet<&SystemId> = briefing.waves.iter().flatten().collect();
    if !stored.targets.iter().eq(assessed) {
        return Ok(Err("its targets are not those assessed".to_owned()));
    }
    let envelope: Envelope = payloads::value(tx, grant.envelope()).await?;
    let graph = match backend.graph(tx).await? {
        Some((digest, graph)) if digest == briefing.digests.topology => graph,
        // Another topology came meanwhile: it was assessed on this one.
        Some(_) | None => {
            let topology: Topology = payloads::value(tx, briefing.digests.topology).await?;
            off_runtime(move || Arc::new(Graph::new(topology))).await?
        }
    };
    let briefing = briefing.clone();
    let differences = off_runtime(move || recompute(&briefing, Some(&envelope), &graph)).await??;
    Ok(if differences.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "assessed again it differs: {}",
            differences.join("; ")
        ))
    })
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Damaged(format!("it could not be recomputed: {error}")))
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
    scope: Scope,
) -> Result<Verdict, StoreError> {
    let Some((_, graph)) = backend.graph(tx).await? else {
        return Ok(Verdict::Void("there is no topology".to_owned()));
    };
    let envelope = backend.envelope(tx).await?.map(|(_, envelope)| envelope);
    let facts = suspended::facts(backend, tx).await?;
    let rule = briefing.assessment.rule.as_ref();
    let rule = envelope
        .as_ref()
        .and_then(|envelope| Some((envelope.name.as_str(), rule?)));
    let present = Present {
        suspended: covering(&facts, &briefing.proposal.agent, rule).cloned(),
        now,
    };
    let stands = match scope {
        Scope::Unchanged => standing_unchanged(briefing, runs_by, envelope.as_deref(), &present),
        Scope::Unknown => {
            let briefing = briefing.clone();
            off_runtime(move || standing(&briefing, runs_by, envelope.as_deref(), &graph, &present))
                .await??
        }
    };
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
    stored: &Head,
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
