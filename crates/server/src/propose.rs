//! Proposals: from an agent's document to an assessed, logged item (DESIGN §1, §5).

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::assessment::{Assessment, ImpactState, Outcome, QuorumRule, Verdict};
use countersign_core::briefing::{Briefing, Composed, Inputs, Plan, compose, title};
use countersign_core::canonical;
use countersign_core::decision::envelope_rule;
use countersign_core::diagnostic::Checked;
use countersign_core::document;
use countersign_core::envelope::Envelope;
use countersign_core::identifier::{AgentId, Digest, ProposalId, SystemId};
use countersign_core::log::EntryKind;
use countersign_core::log::body::ProposalAssessed;
use countersign_core::operation::{Authority, Autonomous};
use countersign_core::proposal::Proposal;
use countersign_core::scope::{self, Graph};
use countersign_wire::decision::About;
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use serde_json::json;
use uuid::Uuid;

use crate::backend::Backend;
use crate::facts;
use crate::limits;
use crate::operate::{self, Beginning};
use crate::problem::{Refusal, codes};
use crate::store::items::{self, Card, Item};
use crate::store::payloads::{self, PayloadKind};
use crate::store::{Conn, StoreError, Tx, log};

/// The reasons on a card.
const REASONS_MAX: usize = 24;

/// A proposal as it was read, and the digest by which a repetition is recognised.
#[derive(Debug)]
pub struct Received {
    proposal: Arc<Proposal>,
    request: Digest,
}

/// Reads a proposal of `agent`.
///
/// # Errors
/// `document_invalid`; `agent_mismatch`, which is logged.
pub async fn receive(
    backend: &Backend,
    agent: &AgentId,
    text: axum::body::Bytes,
) -> Result<Received, Refusal> {
    let read = tokio::task::spawn_blocking(move || document::proposal(&text))
        .await
        .map_err(|_| codes::INTERNAL.because("the proposal could not be read"))?;
    let Checked {
        document: proposal, ..
    } = read?;
    let request = canonical::digest(&proposal).map_err(StoreError::from)?;
    let received = Received {
        proposal: Arc::new(proposal),
        request,
    };
    if received.proposal.agent != *agent {
        let refusal = codes::AGENT_MISMATCH.because(format!(
            "the secret is that of `{agent}`, the proposal names `{}`; propose in your own name",
            received.proposal.agent
        ));
        return Err(refused(backend, agent, &received, refusal).await);
    }
    Ok(received)
}

/// Assesses a proposal and keeps nothing.
///
/// # Errors
/// `no_topology`.
pub async fn assess_only(backend: &Backend, received: Received) -> Result<ProposalAnswer, Refusal> {
    let mut conn = backend.store.read().await?;
    let now = backend.clock.now();
    let ground = ground(backend, &mut conn).await?;
    let envelope = ground
        .envelope
        .as_ref()
        .map(|(_, envelope)| Arc::clone(envelope));
    let history = facts::history(backend, &mut conn, envelope.as_deref(), now).await?;
    let assessment = off_runtime(move || {
        countersign_core::assessment::assess(
            envelope.as_deref(),
            &ground.graph,
            &received.proposal,
            Some(&history),
            now,
        )
    })
    .await?;
    let state = match assessment.verdict {
        Verdict::Autonomous => ItemState::Running,
        Verdict::NeedsApproval => ItemState::Waiting,
        Verdict::Refused => ItemState::Refused,
    };
    Ok(ProposalAnswer {
        id: None,
        state,
        message: "It was only assessed; nothing was kept and nothing runs.".to_owned(),
        assessment,
        operation: None,
        received_at: now,
    })
}

/// The documents that a proposal is held against.
struct Ground {
    graph: Arc<Graph>,
    envelope: Option<(Digest, Arc<Envelope>)>,
}

async fn ground(backend: &Backend, conn: &mut Conn) -> Result<Ground, Refusal> {
    let Some((_, graph)) = backend.graph(conn).await? else {
        return Err(codes::NO_TOPOLOGY
            .because("nobody can say what depends on what; import a topology first"));
    };
    Ok(Ground {
        graph,
        envelope: backend.envelope(conn).await?,
    })
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| codes::INTERNAL.because("the proposal could not be assessed"))
}

/// Takes a proposal: assesses it, keeps it, logs it, and lets it run where the envelope does.
///
/// # Errors
/// `no_topology`, `idempotency_key_reused`, `too_many_open_items`, `supersedes_unknown`; those about
/// this proposal are logged.
pub async fn propose(
    backend: &Arc<Backend>,
    received: Received,
) -> Result<ProposalAnswer, Refusal> {
    let proposal = Arc::clone(&received.proposal);
    if let Some(answer) = repeated(backend, &received).await? {
        return Ok(answer);
    }
    let id = ProposalId::new(format!("p_{}", Uuid::now_v7().simple()))
        .map_err(|error| codes::INTERNAL.because(error.to_string()))?;
    let plan = plan(backend, &id, &proposal).await?;

    let mut tx = backend.change().await?;
    // Somebody may have repeated it meanwhile.
    if let Some(item) = items::by_key(&mut tx, &proposal.agent, &proposal.idempotency_key).await? {
        drop(tx);
        return known(backend, &received, item).await;
    }
    let now = backend.clock.now();
    let superseded = match superseded(&mut tx, &proposal).await? {
        Ok(superseded) => superseded,
        Err(refusal) => {
            drop(tx);
            return Err(refused(backend, &proposal.agent, &received, refusal).await);
        }
    };
    if let Some(old) = superseded.filter(|old| old.state == ItemState::Waiting) {
        close(
            &mut tx,
            &old,
            ItemState::Superseded,
            &format!("It was replaced by `{id}`; stop."),
            now,
        )
        .await?;
    }
    if items::open_of(&mut tx, &proposal.agent).await? >= limits::OPEN_ITEMS_PER_AGENT_MAX {
        backend.refusals.count(codes::TOO_MANY_OPEN_ITEMS.name);
        return Err(codes::TOO_MANY_OPEN_ITEMS.because(format!(
            "{} items of this agent wait for people; wait for them, or replace one",
            limits::OPEN_ITEMS_PER_AGENT_MAX
        )));
    }
    let ground = ground(backend, &mut tx).await?;
    let envelope = ground
        .envelope
        .as_ref()
        .map(|(_, envelope)| Arc::clone(envelope));
    let history = facts::history(backend, &mut tx, envelope.as_deref(), now).await?;
    let (audience, item) = (backend.deployment.clone(), id.clone());
    let assessed = off_runtime({
        let envelope = envelope.clone();
        let proposal = Arc::clone(&proposal);
        move || {
            let graph = &*ground.graph;
            compose(Inputs {
                audience,
                item,
                proposal: &proposal,
                envelope: envelope.as_deref(),
                graph,
                history: &history,
                plan,
                now,
            })
            .map(|composed| Assessed::new(composed, graph))
        }
    })
    .await?
    .map_err(StoreError::from)?;
    let answer = keep(
        backend,
        &mut tx,
        received,
        assessed,
        envelope.as_deref(),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(answer)
}

/// What is kept of an assessment.
struct Assessed {
    briefing: Briefing,
    targets: BTreeSet<SystemId>,
    card: Card,
}

impl Assessed {
    fn new(composed: Composed<'_>, graph: &Graph) -> Self {
        let Composed {
            briefing,
            evaluation,
        } = composed;
        let targets = evaluation.targets.systems;
        let assessment = &briefing.assessment;
        let of = |outcome| {
            assessment
                .findings
                .iter()
                .filter(move |finding| finding.outcome == outcome)
        };
        let card = Card {
            title: title(&briefing.proposal.action, &targets, graph),
            action: briefing.proposal.action.kind(),
            scope: assessment.scope.clone(),
            targets: number(targets.len()),
            down: number(suffering(assessment, ImpactState::Down)),
            why: of(Outcome::Fail)
                .chain(of(Outcome::NotEvaluable))
                .map(|finding| finding.message.clone())
                .take(REASONS_MAX)
                .collect(),
            quorum: assessment.quorum.clone(),
        };
        Self {
            briefing,
            targets,
            card,
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn suffering(assessment: &Assessment, state: ImpactState) -> usize {
    assessment
        .impact
        .iter()
        .filter(|entry| entry.state == state)
        .count()
}

/// Keeps the item, its documents and its log entry, and begins its operation where it runs alone.
async fn keep(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    received: Received,
    assessed: Assessed,
    envelope: Option<&Envelope>,
    now: DateTime<Utc>,
) -> Result<ProposalAnswer, Refusal> {
    let Assessed {
        briefing,
        targets,
        card,
    } = assessed;
    let assessment = &briefing.assessment;
    let digest = tx.keep_value(PayloadKind::Briefing, &briefing).await?;
    tx.keep_value(PayloadKind::Proposal, &briefing.proposal)
        .await?;
    tx.keep_value(PayloadKind::History, &briefing.history)
        .await?;
    tx.keep_value(PayloadKind::Plan, &briefing.plan).await?;
    tx.keep_value(PayloadKind::Targets, &targets).await?;
    let (state, message) = match assessment.verdict {
        Verdict::Autonomous => (
            ItemState::Running,
            "It runs within the envelope.".to_owned(),
        ),
        Verdict::NeedsApproval => (
            ItemState::Waiting,
            "It waits for people; do not carry it out.".to_owned(),
        ),
        Verdict::Refused => {
            let why = assessment.refusal.as_deref().unwrap_or("it is void");
            (ItemState::Refused, format!("It is void: {why}. Stop."))
        }
    };
    let item = Item {
        id: briefing.item.clone(),
        agent: briefing.proposal.agent.clone(),
        idempotency_key: briefing.proposal.idempotency_key.clone(),
        request: received.request,
        state,
        proposal: briefing.digests.proposal,
        briefing: digest,
        envelope: briefing.digests.envelope,
        card,
        message,
        received_at: now,
        expires_at: briefing.expires_at,
        closed_at: (state != ItemState::Waiting).then_some(now),
        operation: None,
        supersedes: briefing.proposal.supersedes.clone(),
    };
    tx.add_item(&item).await?;
    tx.record(now, &ProposalAssessed::of(&briefing, digest))
        .await?;
    let operation = match (assessment.verdict, briefing.digests.envelope) {
        (Verdict::Autonomous, Some(envelope_digest)) => {
            let authority = Autonomous::new(assessment, envelope_digest)
                .map_err(|error| codes::INTERNAL.because(error.to_string()))?;
            let new = Beginning {
                id: None,
                item: Some((item.id.clone(), digest)),
                authority: Authority::Autonomous(authority),
                action: briefing.proposal.action.clone(),
                title: item.card.title.clone(),
                targets,
                rollout: briefing.rollout.clone(),
                quorum: quorum_of(&briefing, envelope),
            };
            Some(operate::begin(backend, tx, new).await?)
        }
        (Verdict::Autonomous, None) | (Verdict::NeedsApproval | Verdict::Refused, _) => None,
    };
    Ok(ProposalAnswer {
        id: Some(item.id),
        state: item.state,
        message: item.message,
        assessment: briefing.assessment,
        operation,
        received_at: now,
    })
}

/// Who may stop or undo what runs alone: those who would have approved it.
pub(crate) fn quorum_of(briefing: &Briefing, envelope: Option<&Envelope>) -> QuorumRule {
    let tier = briefing.assessment.scope.tier;
    envelope
        .and_then(|envelope| envelope.tiers.get(&tier).map(|tier| &tier.approval))
        .map(|approval| QuorumRule {
            needed: approval.quorum.max(1),
            roles: approval.roles.clone(),
        })
        .or_else(|| envelope.map(|envelope| envelope_rule(None, envelope)))
        .unwrap_or(QuorumRule {
            needed: 1,
            roles: BTreeSet::new(),
        })
}

/// The executor's plan for the targets as they resolve now.
async fn plan(
    backend: &Backend,
    id: &ProposalId,
    proposal: &Arc<Proposal>,
) -> Result<Plan, Refusal> {
    if backend.executors.of(proposal.action.kind()).is_none() {
        return Ok(Plan::none());
    }
    let ground = ground(backend, &mut *backend.store.read().await?).await?;
    let targets = {
        let proposal = Arc::clone(proposal);
        off_runtime(move || scope::resolve(&ground.graph, &proposal.targets).systems).await?
    };
    if targets.is_empty() {
        return Ok(Plan::none());
    }
    Ok(backend.executors.plan(id, &proposal.action, &targets).await)
}

/// The answer to a proposal that was made before.
async fn repeated(
    backend: &Backend,
    received: &Received,
) -> Result<Option<ProposalAnswer>, Refusal> {
    let proposal = &received.proposal;
    let item = items::by_key(
        &mut *backend.store.read().await?,
        &proposal.agent,
        &proposal.idempotency_key,
    )
    .await?;
    match item {
        Some(item) => known(backend, received, item).await.map(Some),
        None => Ok(None),
    }
}

async fn known(
    backend: &Backend,
    received: &Received,
    item: Item,
) -> Result<ProposalAnswer, Refusal> {
    if item.request != received.request {
        let refusal = codes::IDEMPOTENCY_KEY_REUSED.because(format!(
            "`{}` was used for `{}`; give another proposal another key",
            item.idempotency_key, item.id
        ));
        return Err(refused(backend, &item.agent, received, refusal).await);
    }
    answer(&mut *backend.store.read().await?, item).await
}

/// Where an item stands, for its agent.
///
/// # Errors
/// That of the store.
pub async fn answer(conn: &mut Conn, item: Item) -> Result<ProposalAnswer, Refusal> {
    let briefing: Briefing = payloads::value(conn, item.briefing).await?;
    Ok(ProposalAnswer {
        id: Some(item.id),
        state: item.state,
        message: item.message,
        assessment: briefing.assessment,
        operation: item.operation,
        received_at: item.received_at,
    })
}

/// The item that a proposal replaces: one of the same agent.
async fn superseded(
    tx: &mut Tx,
    proposal: &Proposal,
) -> Result<Result<Option<Item>, Refusal>, StoreError> {
    let Some(id) = &proposal.supersedes else {
        return Ok(Ok(None));
    };
    Ok(match items::find(tx, id).await? {
        Some(old) if old.agent == proposal.agent => Ok(Some(old)),
        Some(_) | None => Err(codes::SUPERSEDES_UNKNOWN.because(format!(
            "`{id}` is no item of this agent; leave `supersedes` out"
        ))),
    })
}

/// Closes an item that waited.
///
/// # Errors
/// [`StoreError`].
pub async fn close(
    tx: &mut Tx,
    item: &Item,
    state: ItemState,
    message: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.move_item(&item.id, state, message, now).await?;
    if state != ItemState::Rejected {
        tx.void_decisions(&About::Item(item.id.clone())).await?;
    }
    let body = json!({"item": item.id, "state": state, "agent": item.agent});
    tx.note(
        now,
        EntryKind::ItemClosed,
        &log::About::item(&item.id),
        body,
    )
    .await?;
    Ok(())
}

/// Logs that a well-authenticated proposal was refused, and hands the refusal on.
async fn refused(
    backend: &Backend,
    agent: &AgentId,
    received: &Received,
    refusal: Refusal,
) -> Refusal {
    let write = async {
        let mut tx = backend.change().await?;
        let body = json!({"agent": agent, "code": refusal.code(), "proposal": received.request});
        tx.note(
            backend.clock.now(),
            EntryKind::ProposalRefused,
            &log::About::nothing(),
            body,
        )
        .await?;
        tx.commit().await?;
        Ok::<(), Refusal>(())
    };
    match write.await {
        Ok(()) => refusal,
        Err(error) => error,
    }
}
