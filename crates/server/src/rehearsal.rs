//! What may be rehearsed (AG-706 4.6): nobody signs for a drill, so nothing but its one non-critical
//! system may feel it. And what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::assessment::QuorumRule;
use countersign_core::briefing::title;
use countersign_core::drill::{Pair, Run, RunResult};
use countersign_core::envelope::{Breaker, Envelope, Rollout};
use countersign_core::history::History;
use countersign_core::identifier::{CheckId, ClassId, OperationId, SystemId};
use countersign_core::impact::{self, Circumstances};
use countersign_core::log::EntryKind;
use countersign_core::operation::{Authority, Ending, Operation, Rehearsal, Trip};
use countersign_core::proposal::{Action, ActionKind};
use countersign_core::scope::{Graph, NodeIndex};
use countersign_core::span::Span;
use countersign_core::suspension::Extent;
use countersign_core::topology::Tier;
use countersign_wire::drill::DrillResult;
use serde_json::json;

use crate::backend::Backend;
use crate::facts;
use crate::operate::{self, Beginning};
use crate::problem::{Refusal, codes};
use crate::store::drills::{Ended, Kept};
use crate::store::log::About;
use crate::store::{StoreError, Tx, operations};
use crate::suspended;

/// A drill that somebody asks for.
#[derive(Debug)]
pub struct Asked {
    /// Its name, where whoever asks may ask again; a new one otherwise.
    pub id: Option<OperationId>,
    /// What is done and undone.
    pub action: Action,
    /// On what.
    pub system: SystemId,
    /// Health checks, by the envelope's names.
    pub checks: BTreeSet<CheckId>,
    /// Who asks.
    pub by: AskedBy,
}

/// Who asks for a drill.
#[derive(Debug)]
pub enum AskedBy {
    /// The operator.
    Operator,
    /// The schedule.
    Schedule {
        /// The class that the system must be of.
        class: ClassId,
        /// Since when it is due; absent where it is the first one.
        due_at: Option<DateTime<Utc>>,
    },
}

/// Begins a drill; its name.
///
/// # Errors
/// A [`Refusal`] that says why not; the transaction must then be dropped.
pub async fn begin(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    asked: Asked,
) -> Result<OperationId, Refusal> {
    let Some((_, graph)) = backend.graph(tx).await? else {
        return Err(codes::NO_TOPOLOGY.because("import a topology first"));
    };
    let Some((_, envelope)) = backend.envelope(tx).await? else {
        return Err(codes::NO_ENVELOPE
            .because("health checks are named in an envelope; have one authorised first"));
    };
    let kind = asked.action.kind();
    if backend.executors.of(kind).is_none() {
        return Err(codes::NO_EXECUTOR.because(format!(
            "no executor carries `{}` out; configure one",
            kind.as_str()
        )));
    }
    if kind.is_irreversible() || backend.config.irreversible().contains(&kind) {
        return Err(codes::DRILL_INVALID.because(format!(
            "nothing undoes `{}`, so there is no drill of it",
            kind.as_str()
        )));
    }
    let Some(system) = graph.system(asked.system.as_str()) else {
        return Err(
            codes::DRILL_INVALID.because(format!("the topology has no system `{}`", asked.system))
        );
    };
    let (scheduled, due_at) = match asked.by {
        AskedBy::Operator => (false, None),
        AskedBy::Schedule { class, .. } if class != system.class => {
            return Err(codes::DRILL_INVALID.because(format!(
                "`{}` is designated for drills on {class}, and the topology says that it is {}",
                asked.system, system.class
            )));
        }
        AskedBy::Schedule { due_at, .. } => (true, due_at),
    };
    if scheduled {
        let suspended = suspended::facts(backend, tx).await?;
        if let Some(all) = suspended.iter().find(|s| s.suspends == Extent::Backend) {
            return Err(codes::DRILL_INVALID.because(format!(
                "{all}; drills begin by themselves again once autonomy is resumed"
            )));
        }
    }
    let history = facts::in_flight(tx).await?;
    check(&graph, &asked.action, &asked.system, &history)
        .map_err(|why| codes::DRILL_INVALID.because(why))?;
    if asked.checks.is_empty() {
        return Err(
            codes::DRILL_INVALID.because("a drill without a health check proves nothing; name one")
        );
    }
    if let Some(unknown) = asked
        .checks
        .iter()
        .find(|check| !envelope.checks.contains_key(*check))
    {
        return Err(codes::DRILL_INVALID
            .because(format!("the envelope declares no health check `{unknown}`")));
    }
    let busy = operations::unfinished(tx)
        .await?
        .into_iter()
        .any(|other| other.targets.contains(&asked.system));
    if busy {
        return Err(codes::DRILL_INVALID.because(format!(
            "an operation works on `{}`; wait for its end",
            asked.system
        )));
    }
    let quorum = envelope.tiers.get(&Tier::NonCritical).map_or(
        QuorumRule {
            needed: 1,
            roles: BTreeSet::new(),
        },
        |tier| QuorumRule {
            needed: tier.approval.quorum.max(1),
            roles: tier.approval.roles.clone(),
        },
    );
    let pair = Pair {
        action: kind,
        class: system.class.clone(),
    };
    let targets = BTreeSet::from([asked.system.clone()]);
    let new = Beginning {
        id: asked.id,
        item: None,
        authority: Authority::Drill(Rehearsal::new(kind, system.class.clone())),
        title: format!("drill: {}", title(&asked.action, &targets, &graph)),
        action: asked.action,
        targets,
        rollout: rollout(asked.checks),
        quorum,
    };
    let id = operate::begin(backend, tx, new).await?;
    tx.begin_drill(&Kept {
        operation: id.clone(),
        run: Run {
            pair,
            system: asked.system,
            began_at: backend.clock.now(),
            result: RunResult::UnderWay,
        },
        scheduled,
        due_at,
        rollback_ms: None,
        message: None,
    })
    .await?;
    Ok(id)
}

/// What halted has failed, whatever people make of it.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn halted(tx: &mut Tx, id: &OperationId, trip: &Trip) -> Result<(), StoreError> {
    let ended = Ended {
        result: DrillResult::Failed,
        at: trip.at,
        rollback_ms: None,
        message: Some(operate::said(&trip.failure)),
    };
    tx.end_drill(id, &ended).await
}

/// Keeps and logs what came of a drill: that it brought everything back, and how long that took. What
/// took longer than a rule of the envelope allows has failed.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn finished(
    backend: &Backend,
    tx: &mut Tx,
    machine: &Operation,
    rehearsal: &Rehearsal,
    ending: Ending,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let id = machine.id();
    let took = machine
        .rollback_began_at()
        .and_then(|began| at.signed_duration_since(began).to_std().ok());
    let envelope = backend.envelope(tx).await?.map(|(_, envelope)| envelope);
    let window = envelope
        .as_deref()
        .and_then(|envelope| window(envelope, rehearsal.action(), rehearsal.class()));
    let late = took.zip(window).and_then(|(took, window)| {
        let allowed = window.duration().to_std().unwrap_or_default();
        (took > allowed).then(|| {
            format!(
                "undoing took {} s; the envelope allows {window}",
                took.as_secs()
            )
        })
    });
    let drill = machine.drill(at).filter(|_| late.is_none());
    if let Some(drill) = &drill {
        tx.add_drill(id, drill).await?;
    }
    let ended = Ended {
        result: if drill.is_some() {
            DrillResult::Passed
        } else {
            DrillResult::Failed
        },
        at,
        rollback_ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        message: late.clone(),
    };
    tx.end_drill(id, &ended).await?;
    let mut body = json!({
        "operation": id, "action": rehearsal.action(), "class": rehearsal.class(),
        "succeeded": drill.is_some(), "ending": ending,
    });
    if let (Some(late), Some(body)) = (late, body.as_object_mut()) {
        body.insert("reason".to_owned(), json!(late));
    }
    tx.note(
        at,
        EntryKind::DrillRecorded,
        &About::operation(id, None),
        body,
    )
    .await?;
    Ok(())
}

/// The shortest time that the rules of an envelope allow for undoing this kind of action on this class.
fn window(envelope: &Envelope, kind: ActionKind, class: &ClassId) -> Option<Span> {
    envelope
        .rules
        .iter()
        .filter(|rule| rule.actions.contains(&kind) && rule.targets.classes.contains(class))
        .filter_map(|rule| rule.rollback.within)
        .min()
}

/// How a drill runs: one system, one attempt, no failure tolerated.
#[must_use]
pub fn rollout(checks: BTreeSet<CheckId>) -> Rollout {
    Rollout {
        concurrency: Some(1),
        breaker: Some(Breaker {
            failures: Some(0),
            attempts_per_system: Some(1),
            ..Breaker::default()
        }),
        health: checks,
        ..Rollout::default()
    }
}

/// Checks that `action` on `system` reaches nothing critical and takes down nothing that depends on
/// it. `history` says what is in flight.
///
/// # Errors
/// Why not, and what to do.
pub fn check(
    graph: &Graph,
    action: &Action,
    system: &SystemId,
    history: &History,
) -> Result<(), String> {
    if graph.system(system.as_str()).is_none() {
        return Err(format!("the topology has no system `{system}`"));
    }
    let targets = BTreeSet::from([system.clone()]);
    let circumstances = Circumstances {
        concurrency: Some(1),
        history: Some(history),
    };
    let reach = impact::reach(graph, action, &targets, circumstances);
    let name = |index: NodeIndex| graph.node(index).map_or("", |node| node.id());
    let critical = |index: &NodeIndex| graph.tier(*index) != Tier::NonCritical;
    if let Some(reached) = reach.scope.iter().copied().find(critical) {
        return Err(format!(
            "it would reach `{}`, which is {}; rehearse where everything in reach is non-critical",
            name(reached),
            graph.tier(reached)
        ));
    }
    if let Some(dependent) = reach.hard_dependents().into_iter().next() {
        return Err(format!(
            "`{}` depends on it and would go down; rehearse on a system that nothing depends on",
            name(dependent)
        ));
    }
    let degraded = reach.degraded().into_iter().find(critical);
    if let Some(degraded) = degraded {
        return Err(format!(
            "`{}`, which is {}, would be degraded; rehearse elsewhere",
            name(degraded),
            graph.tier(degraded)
        ));
    }
    if !reach.unnamed_credential.is_empty() {
        return Err(
            "no dependency names what it changes, so nobody can say who uses it".to_owned(),
        );
    }
    Ok(())
}
