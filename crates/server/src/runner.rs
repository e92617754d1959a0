//! The runner: does what operations ask for, and feeds the answers back (DESIGN §8).
//!
//! It holds no state of its own. An effect reaches it only after the transaction that asked for it is
//! durable, and each answer is a transaction again; after a crash [`recover`] tells every unfinished
//! operation that nothing of before will be answered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use countersign_core::envelope::{Envelope, JITTER_PERCENT};
use countersign_core::identifier::{CheckId, Digest, OperationId, SystemId};
use countersign_core::operation::{
    Authority, CheckResult, Dependents, Effect, EffectKind, EventKind, Sequence,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::alerts;
use crate::backend::Backend;
use crate::executor::{Answer, Call, ExecutorError, Verb};
use crate::gate;
use crate::health::Subject;
use crate::limits;
use crate::operate::{self, OperateError};
use crate::permit;
use crate::store::operations::{self, Head, Stored};
use crate::store::payloads::{self, PayloadKind};
use crate::store::{Conn, StoreError, items};

/// After how long an answer that the database did not take is given again.
const ANSWER_AGAIN_AFTER: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// Longest that a soak is slept without a look at the clock.
const SOAK_LOOK: Duration = Duration::from_millis(500);

type Handed = (OperationId, Vec<Effect>);

/// The way to the runner.
#[derive(Debug)]
pub struct Runner {
    sender: mpsc::UnboundedSender<Handed>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Handed>>>,
}

impl Default for Runner {
    fn default() -> Self {
        // Bounded by what operations ask for: the sum of their concurrencies.
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }
}

impl Runner {
    /// Hands effects over. After the backend stopped nobody takes them; recovery will.
    pub fn hand_over(&self, operation: OperationId, effects: Vec<Effect>) {
        if self.sender.send((operation, effects)).is_err() {
            tracing::info!("effects are left to the next start");
        }
    }
}

/// Tells every unfinished operation that the backend restarted.
///
/// # Errors
/// [`OperateError`].
pub async fn recover(backend: &Arc<Backend>) -> Result<(), OperateError> {
    let unfinished = operations::unfinished_heads(&mut *backend.store.read().await?).await?;
    for operation in unfinished {
        let mut tx = backend.store.begin().await?;
        operate::apply(backend, &mut tx, &operation.id, EventKind::Recovered).await?;
        tx.commit().await?;
        tracing::info!(operation = %operation.id, "taken up again");
    }
    Ok(())
}

/// Does effects until the backend stops. What is under way then is awaited as long as stopping lasts.
pub async fn run(backend: Arc<Backend>) {
    let taken = backend
        .runner
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some(mut handed) = taken else { return };
    let mut stopping = backend.stopping.subscribe();
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => break,
            more = handed.recv() => {
                let Some((operation, effects)) = more else { break };
                for effect in effects {
                    under_way.spawn(carry_out(Arc::clone(&backend), operation.clone(), effect));
                }
            }
            Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Carries an effect out. One whose answer cannot be given is lost, so that a person hears of it; a gate
/// is then closed.
async fn carry_out(backend: Arc<Backend>, operation: OperationId, effect: Effect) {
    let sequence = effect.sequence;
    if let Err(error) = try_carry_out(&backend, &operation, effect).await {
        tracing::error!(%operation, %error, "an effect could not be answered");
        let reason = format!("the backend failed: {error}");
        let lost = EventKind::Lost { sequence, reason };
        if let Err(error) = answer(&backend, &operation, &lost).await {
            tracing::error!(%operation, %error, "an effect is unknown until the next start");
        }
    }
}

/// Gives an answer to an operation, again where the database fails; it counts once.
async fn answer(
    backend: &Arc<Backend>,
    id: &OperationId,
    event: &EventKind,
) -> Result<(), OperateError> {
    let mut waits = ANSWER_AGAIN_AFTER.iter();
    loop {
        let answered = async {
            let mut tx = backend.store.begin().await?;
            operate::apply(backend, &mut tx, id, event.clone()).await?;
            tx.commit().await?;
            Ok(())
        };
        match (answered.await, waits.next()) {
            (Err(OperateError::Store(StoreError::Database(error))), Some(wait)) => {
                tracing::warn!(operation = %id, %error, "an answer is given again");
                tokio::time::sleep(*wait).await;
            }
            (result, _) => return result,
        }
    }
}

async fn try_carry_out(
    backend: &Arc<Backend>,
    id: &OperationId,
    effect: Effect,
) -> Result<(), OperateError> {
    let sequence = effect.sequence;
    let stored = operations::head(&mut *backend.store.read().await?, id)
        .await?
        .ok_or_else(|| OperateError::Unknown(id.clone()))?;
    let event = match effect.kind {
        // Written with the event that asked for them.
        EffectKind::Record { .. } | EffectKind::Finished { .. } => return Ok(()),
        EffectKind::Gate { system, .. } => {
            let alert = alerts::firing(backend, &stored).await?;
            return gate::answer(backend, id, sequence, &system, alert).await;
        }
        EffectKind::Snapshot { system, attempt } => {
            return snapshot(backend, &stored, sequence, system, attempt).await;
        }
        EffectKind::VerifyReverted { system } => {
            return snapshot(backend, &stored, sequence, system, 1).await;
        }
        EffectKind::Apply { system, attempt } => {
            match call(
                backend,
                &stored,
                sequence,
                system,
                attempt,
                Verb::Apply,
                None,
            )
            .await?
            {
                Ok(_) => EventKind::Applied { sequence },
                Err(error) => failed(sequence, error),
            }
        }
        EffectKind::Revert {
            system,
            before,
            decision,
        } => match revert(backend, &stored, sequence, system, before, decision).await? {
            Ok(_) => EventKind::Reverted { sequence },
            Err(error) => failed(sequence, error),
        },
        EffectKind::Baseline {
            system,
            checks,
            dependents,
        } => look(backend, &stored, &system, &checks, &dependents)
            .await?
            .answer(sequence),
        EffectKind::Health {
            system,
            checks,
            dependents,
        } => match looked(backend, &stored, &system, &checks, &dependents).await? {
            Some(seen) => seen.answer(sequence),
            None => return Ok(()),
        },
        EffectKind::StartSoak { until } => {
            if !soaked(backend, until).await {
                return Ok(());
            }
            EventKind::SoakEnded { sequence }
        }
        EffectKind::StartTimer { until } => {
            if !soaked(backend, until).await || has_ended(backend, id).await? {
                return Ok(());
            }
            EventKind::TimerEnded { sequence }
        }
    };
    answer(backend, id, &event).await
}

/// What one look at a system and its dependents found.
struct Seen {
    results: BTreeMap<CheckId, CheckResult>,
    dependents: BTreeMap<SystemId, BTreeMap<CheckId, CheckResult>>,
}

impl Seen {
    /// Whether there is nothing that another look could make worse.
    fn all_pass(&self) -> bool {
        let mut all = self
            .results
            .values()
            .chain(self.dependents.values().flat_map(BTreeMap::values));
        all.all(|result| matches!(result, CheckResult::Pass { .. }))
    }

    fn answer(self, sequence: Sequence) -> EventKind {
        EventKind::HealthChecked {
            sequence,
            results: self.results,
            dependents: self.dependents,
        }
    }
}

/// Looks at a touched system once it has settled, until its checks passed as often in a row as its rollout
/// asks, or one did not. `None` where the backend stops meanwhile.
async fn looked(
    backend: &Backend,
    stored: &Head,
    system: &SystemId,
    checks: &BTreeSet<CheckId>,
    dependents: &Dependents,
) -> Result<Option<Seen>, StoreError> {
    let rollout = &stored.rollout;
    if let Some(settle) = rollout.settle
        && !slept(backend, settle.duration()).await
    {
        return Ok(None);
    }
    let mut further = rollout.looks();
    loop {
        further = further.saturating_sub(1);
        let seen = look(backend, stored, system, checks, dependents).await?;
        if further == 0 || !seen.all_pass() {
            return Ok(Some(seen));
        }
        if !slept(backend, jittered(rollout.interval_seconds())).await {
            return Ok(None);
        }
    }
}

/// An interval, up to [`JITTER_PERCENT`] shorter or longer.
fn jittered(interval_seconds: u32) -> TimeDelta {
    let percent = rand::random_range(100 - JITTER_PERCENT..=100 + JITTER_PERCENT);
    TimeDelta::milliseconds(i64::from(interval_seconds) * i64::from(percent) * 10)
}

/// One look at a system and its dependents.
async fn look(
    backend: &Backend,
    stored: &Head,
    system: &SystemId,
    checks: &BTreeSet<CheckId>,
    dependents: &Dependents,
) -> Result<Seen, StoreError> {
    let envelope = envelope_of(backend, stored).await?;
    let envelope = envelope.as_deref();
    let results = ask(backend, envelope, checks, system).await?;
    let asked = dependents
        .systems
        .iter()
        .cloned()
        .map(|dependent| async move {
            let results = ask(backend, envelope, &dependents.checks, &dependent).await?;
            Ok::<_, StoreError>((dependent, results))
        });
    let found = stream::iter(asked)
        .buffer_unordered(limits::DEPENDENTS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(Seen {
        results,
        dependents: found,
    })
}

/// Asks a system how it is, where the topology in force says that it is reached.
async fn ask(
    backend: &Backend,
    envelope: Option<&Envelope>,
    checks: &BTreeSet<CheckId>,
    system: &SystemId,
) -> Result<BTreeMap<CheckId, CheckResult>, StoreError> {
    let addresses = addresses_of(backend, system).await?;
    let subject = Subject {
        system,
        addresses: &addresses,
    };
    Ok(backend.prober.check(envelope, checks, subject).await)
}

/// Whether an operation is over, so that its timers matter to nobody.
async fn has_ended(backend: &Backend, id: &OperationId) -> Result<bool, StoreError> {
    let stored = operations::head(&mut *backend.store.read().await?, id).await?;
    Ok(stored.is_none_or(|stored| stored.finished_at.is_some()))
}

fn failed(sequence: Sequence, error: ExecutorError) -> EventKind {
    match error {
        ExecutorError::Failed(reason) => EventKind::ExecutorFailed { sequence, reason },
        ExecutorError::Unknown(reason) => EventKind::Lost { sequence, reason },
    }
}

/// Takes a snapshot and keeps its bytes in the transaction of the answer.
async fn snapshot(
    backend: &Arc<Backend>,
    stored: &Head,
    sequence: Sequence,
    system: SystemId,
    attempt: u32,
) -> Result<(), OperateError> {
    let answer = call(
        backend,
        stored,
        sequence,
        system,
        attempt,
        Verb::Snapshot,
        None,
    )
    .await?;
    let mut tx = backend.store.begin().await?;
    let event = match answer.map(|answer| answer.snapshot) {
        Ok(Some(bytes)) => EventKind::SnapshotTaken {
            sequence,
            digest: tx.keep(PayloadKind::Snapshot, &bytes).await?,
        },
        Ok(None) => EventKind::ExecutorFailed {
            sequence,
            reason: "the executor gave no snapshot".to_owned(),
        },
        // Taking a snapshot changes nothing, so that its loss is a failure and not a doubt.
        Err(ExecutorError::Failed(reason) | ExecutorError::Unknown(reason)) => {
            EventKind::ExecutorFailed { sequence, reason }
        }
    };
    operate::apply(backend, &mut tx, &stored.id, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Undoes the action on a system, once the decision to do so was verified again.
async fn revert(
    backend: &Arc<Backend>,
    stored: &Head,
    sequence: Sequence,
    system: SystemId,
    before: Option<Digest>,
    decision: Option<Digest>,
) -> Result<Result<Answer, ExecutorError>, OperateError> {
    let snapshot = {
        let mut conn = backend.store.read().await?;
        let whole = whole(&mut conn, &stored.id).await?;
        let machine = backend.store.machine(&mut conn, &stored.id).await?;
        let allowed = gate::check_revert(backend, &mut conn, &whole, &machine, decision).await?;
        if let Err(reason) = allowed {
            tracing::error!(operation = %stored.id, %system, reason, "a revert was refused");
            let reason = format!("nothing was undone: {reason}");
            return Ok(Err(ExecutorError::Failed(reason)));
        }
        match before {
            Some(digest) => Some(payloads::value(&mut conn, digest).await?),
            None => None,
        }
    };
    let verb = Verb::Revert { snapshot };
    call(backend, stored, sequence, system, 1, verb, decision).await
}

async fn call(
    backend: &Arc<Backend>,
    stored: &Head,
    sequence: Sequence,
    system: SystemId,
    attempt: u32,
    verb: Verb,
    decision: Option<Digest>,
) -> Result<Result<Answer, ExecutorError>, OperateError> {
    let Some(executor) = backend.executors.of(stored.action.kind()) else {
        let kind = stored.action.kind().as_str();
        return Ok(Err(ExecutorError::Failed(format!(
            "no executor carries `{kind}` out"
        ))));
    };
    let mut call = Call {
        verb,
        operation: stored.id.clone(),
        sequence,
        attempt,
        system,
        action: stored.action.clone(),
        evidence: BTreeSet::new(),
        permit: None,
    };
    {
        let mut conn = backend.store.read().await?;
        // Not kept while the executor works: what is shared is copied when it moves on.
        let machine = backend.store.machine(&mut conn, &stored.id).await?;
        if let Authority::Decided(decided) = machine.authority() {
            call.evidence.clone_from(decided.decisions());
        }
        call.evidence.extend(decision);
        if executor.is_guarded() {
            let whole = whole(&mut conn, &stored.id).await?;
            call.permit = permit::assemble(backend, &mut conn, &whole, &machine, &call, decision)
                .await?
                .map(Box::new);
        }
    }
    Ok(executor.call(&call).await)
}

/// All that is stored of an operation, its systems too.
async fn whole(conn: &mut Conn, id: &OperationId) -> Result<Stored, OperateError> {
    operations::find(conn, id)
        .await?
        .ok_or_else(|| OperateError::Unknown(id.clone()))
}

/// The envelope whose checks were signed; for a drill the one in force.
pub(crate) async fn envelope_of(
    backend: &Backend,
    stored: &Head,
) -> Result<Option<Arc<Envelope>>, StoreError> {
    let mut conn = backend.store.read().await?;
    let signed = match &stored.item {
        Some(item) => items::find(&mut conn, item)
            .await?
            .and_then(|item| item.envelope),
        None => {
            return Ok(backend
                .envelope(&mut conn)
                .await?
                .map(|(_, envelope)| envelope));
        }
    };
    match (signed, backend.envelope(&mut conn).await?) {
        (Some(signed), Some((digest, envelope))) if signed == digest => Ok(Some(envelope)),
        (Some(signed), _) => Ok(Some(Arc::new(payloads::value(&mut conn, signed).await?))),
        (None, _) => Ok(None),
    }
}

/// Where the topology in force says that a system is reached.
async fn addresses_of(
    backend: &Backend,
    system: &SystemId,
) -> Result<BTreeSet<IpAddr>, StoreError> {
    let mut conn = backend.store.read().await?;
    let Some((_, graph)) = backend.graph(&mut conn).await? else {
        return Ok(BTreeSet::new());
    };
    Ok(graph
        .system(system.as_str())
        .map(|known| known.addresses.clone())
        .unwrap_or_default())
}

/// Waits for `span`; whether it passed, and not the backend ended.
async fn slept(backend: &Backend, span: TimeDelta) -> bool {
    let now = backend.clock.now();
    soaked(backend, now.checked_add_signed(span).unwrap_or(now)).await
}

/// Waits until `until`; whether it came, and not the end of the backend.
async fn soaked(backend: &Backend, until: DateTime<Utc>) -> bool {
    let mut stopping = backend.stopping.subscribe();
    loop {
        let left = until.signed_duration_since(backend.clock.now());
        if left <= TimeDelta::zero() {
            return true;
        }
        let look = left.to_std().unwrap_or(SOAK_LOOK).min(SOAK_LOOK);
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return false,
            () = tokio::time::sleep(look) => {}
        }
    }
}
