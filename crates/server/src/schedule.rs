//! The schedule of drills (AG-706 4.6): begins what is due, and says how each pair stands.
//!
//! It keeps nothing of its own: what ran is read in the transaction that begins the next one, so that a
//! restart repeats nothing and makes up one drill for however many were missed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use countersign_core::drill::{self, Pair, Plan, Run, RunResult, standing};
use countersign_core::identifier::SystemId;
use countersign_wire::drill::{DrillResult, DrillRun, DrillStanding, Notice, NoticeKind};

use crate::backend::Backend;
use crate::config::DrillConfig;
use crate::problem::Refusal;
use crate::rehearsal::{self, Asked, AskedBy};
use crate::store::drills::{self, Kept};
use crate::store::{Conn, StoreError, operations};

/// Why drills that are due did not begin when they were last tried.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<BTreeMap<Pair, String>>);

impl Waiting {
    fn of(&self, pair: &Pair) -> Option<String> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(pair).cloned()
    }

    fn set(&self, pair: Pair, why: Option<String>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(why) = why else {
            waiting.remove(&pair);
            return;
        };
        if waiting.get(&pair) != Some(&why) {
            tracing::warn!(%pair, why, "a drill is due and does not begin");
            waiting.insert(pair, why);
        }
    }
}

/// Begins every drill that is due, each in a transaction of its own.
///
/// # Errors
/// [`StoreError`].
pub async fn look(backend: &Arc<Backend>) -> Result<(), StoreError> {
    let configured = &backend.config.drills;
    if configured.is_empty() {
        return Ok(());
    }
    let plans: Vec<Plan> = configured.iter().map(DrillConfig::plan).collect();
    let pairs = {
        let mut conn = backend.store.read().await?;
        due(backend, &mut conn, &plans).await?
    };
    for (pair, _, _) in pairs {
        let Some(drill) = configured.iter().find(|drill| drill.pair() == pair) else {
            continue;
        };
        // One that cannot begin keeps no other one waiting.
        let why = match begin(backend, &plans, drill).await {
            Ok(()) => None,
            Err(refusal) => Some(refusal.0.detail.clone()),
        };
        backend.waiting.set(pair, why);
    }
    Ok(())
}

type Begins = (Pair, SystemId, Option<DateTime<Utc>>);

/// The pairs that are due, each with its system and since when.
async fn due(
    backend: &Backend,
    conn: &mut Conn,
    plans: &[Plan],
) -> Result<Vec<Begins>, StoreError> {
    let now = backend.clock.now();
    let runs = runs(conn).await?;
    if drill::due(plans, &runs, &BTreeSet::new(), now).is_empty() {
        return Ok(Vec::new());
    }
    let unfinished = operations::unfinished(conn).await?;
    let busy = unfinished
        .into_iter()
        .flat_map(|operation| operation.targets)
        .collect();
    Ok(drill::due(plans, &runs, &busy, now)
        .into_iter()
        .map(|due| (due.plan.pair.clone(), due.system.clone(), due.since))
        .collect())
}

async fn runs(conn: &mut Conn) -> Result<Vec<Run>, StoreError> {
    let kept = drills::latest(conn).await?;
    Ok(kept.into_iter().map(|kept| kept.run).collect())
}

/// Begins a drill, where it is still due.
async fn begin(backend: &Arc<Backend>, plans: &[Plan], drill: &DrillConfig) -> Result<(), Refusal> {
    let mut tx = backend.change().await?;
    let pair = drill.pair();
    let still = due(backend, &mut tx, plans).await?;
    let Some((_, system, due_at)) = still.into_iter().find(|(due, _, _)| *due == pair) else {
        return Ok(());
    };
    let asked = Asked {
        id: None,
        action: drill.action.clone(),
        system,
        checks: drill.checks.clone(),
        by: AskedBy::Schedule {
            class: drill.class.clone(),
            due_at,
        },
    };
    let id = rehearsal::begin(backend, &mut tx, asked).await?;
    tx.commit().await?;
    tracing::info!(%pair, operation = %id, "a drill began by itself");
    Ok(())
}

/// How each pair stands that is scheduled or was ever rehearsed, in their order.
///
/// # Errors
/// [`StoreError`].
pub async fn standings(
    backend: &Backend,
    conn: &mut Conn,
) -> Result<Vec<DrillStanding>, StoreError> {
    let now = backend.clock.now();
    let kept = drills::latest(conn).await?;
    let runs: Vec<Run> = kept.iter().map(|kept| kept.run.clone()).collect();
    let mut plans: BTreeMap<Pair, Option<Plan>> =
        runs.iter().map(|run| (run.pair.clone(), None)).collect();
    for drill in &backend.config.drills {
        plans.insert(drill.pair(), Some(drill.plan()));
    }
    Ok(plans
        .into_iter()
        .map(|(pair, plan)| stands(backend, pair, plan.as_ref(), &kept, &runs, now))
        .collect())
}

fn stands(
    backend: &Backend,
    pair: Pair,
    plan: Option<&Plan>,
    kept: &[Kept],
    runs: &[Run],
    now: DateTime<Utc>,
) -> DrillStanding {
    let mine = || kept.iter().filter(|kept| kept.run.pair == pair);
    let last = mine().max_by_key(|kept| kept.run.began_at);
    let passed = mine()
        .filter_map(|kept| match kept.run.result {
            RunResult::Passed { at } => Some(at),
            RunResult::UnderWay | RunResult::Failed { .. } => None,
        })
        .max();
    let failed = mine()
        .filter_map(|kept| match kept.run.result {
            RunResult::Failed { at } if passed.is_none_or(|passed| at >= passed) => {
                Some((at, kept))
            }
            RunResult::Failed { .. } | RunResult::UnderWay | RunResult::Passed { .. } => None,
        })
        .max_by_key(|(at, _)| *at);
    let planned = plan.map(|plan| standing(plan, runs, now));
    let is_due = planned
        .as_ref()
        .is_some_and(|standing| standing.due_at.is_none_or(|at| at <= now));
    DrillStanding {
        every: plan.map(|plan| plan.every),
        systems: plan.map(|plan| plan.systems.clone()).unwrap_or_default(),
        last: last.map(shown),
        failed: failed.map(|(_, kept)| shown(kept)),
        passed_at: passed,
        due_at: planned.and_then(|standing| standing.due_at),
        overdue_since: planned.and_then(|standing| standing.overdue_since),
        waits: plan
            .filter(|_| is_due)
            .and_then(|plan| backend.waiting.of(&plan.pair)),
        action: pair.action,
        class: pair.class,
    }
}

fn shown(kept: &Kept) -> DrillRun {
    let (result, ended_at) = match kept.run.result {
        RunResult::UnderWay => (DrillResult::UnderWay, None),
        RunResult::Passed { at } => (DrillResult::Passed, Some(at)),
        RunResult::Failed { at } => (DrillResult::Failed, Some(at)),
    };
    DrillRun {
        operation: kept.operation.clone(),
        system: kept.run.system.clone(),
        scheduled: kept.scheduled,
        began_at: kept.run.began_at,
        result,
        ended_at,
        rollback_ms: kept.rollback_ms,
        message: kept.message.clone(),
    }
}

/// What people should know of drills: which failed, and which are overdue.
///
/// # Errors
/// [`StoreError`].
pub async fn notices(backend: &Backend, conn: &mut Conn) -> Result<Vec<Notice>, StoreError> {
    let standings = standings(backend, conn).await?;
    Ok(standings.into_iter().filter_map(notice).collect())
}

fn notice(of: DrillStanding) -> Option<Notice> {
    let pair = format!("{} on {}", of.action.as_str(), of.class);
    let told = |kind, message, since, detail, operation| Notice {
        kind,
        action: of.action,
        class: of.class.clone(),
        operation,
        message,
        detail,
        since,
    };
    if let Some(failed) = of.failed {
        let message = format!(
            "The drill of {pair} failed on {}; nothing of it runs alone until one passes.",
            failed.system
        );
        let (since, operation) = (failed.ended_at, Some(failed.operation));
        return Some(told(
            NoticeKind::DrillFailed,
            message,
            since,
            failed.message,
            operation,
        ));
    }
    let hanging = of
        .last
        .as_ref()
        .filter(|last| last.result == DrillResult::UnderWay)
        .map(|last| last.operation.clone());
    match (of.overdue_since, of.last, of.waits) {
        (Some(since), _, why) => Some(told(
            NoticeKind::DrillOverdue,
            format!("The drill of {pair} is overdue."),
            Some(since),
            why,
            hanging,
        )),
        (None, None, Some(why)) => Some(told(
            NoticeKind::DrillOverdue,
            format!("The first drill of {pair} cannot begin."),
            None,
            Some(why),
            None,
        )),
        (None, _, _) => None,
    }
}
