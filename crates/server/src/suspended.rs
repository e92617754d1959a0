//! What autonomy is suspended now (AG-706 4.10). The log says it: every suspension in it counts, and stops
//! counting only where a later entry rests on two people's decisions, which are verified again.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::decision::{Quorum, Roster, SuspensionSubjects, VerifiedDecision};
use countersign_core::identifier::Digest;
use countersign_core::log::body::{AutonomyResumed, AutonomySuspended};
use countersign_core::log::{Entry, EntryKind};
use countersign_core::operation::{Authority, EventKind, Phase};
use countersign_core::statement::DecisionKind;
use countersign_core::suspension::{Suspended, rule};
use countersign_wire::decision::About;
use countersign_wire::operation::AuthorityKind;

use crate::backend::{Backend, SealedGenesis};
use crate::operate::{self, OperateError};
use crate::store::operations::{self, Head};
use crate::store::{Conn, StoreError, decisions, items, log, payloads};

/// A suspension in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Digest of the suspension.
    pub digest: Digest,
    /// What is suspended, by whom, since when.
    pub suspended: Suspended,
    /// Number of the entry by which it came into force.
    pub index: u64,
    /// The exact bytes of that entry.
    pub entry: Vec<u8>,
}

/// Up to which entries the log was replayed: the latest that suspends, and the latest that resumes.
pub type ReplayedTo = (Option<u64>, Option<u64>);

impl InForce {
    /// What a decision to resume it is about.
    #[must_use]
    pub fn resumption(&self) -> SuspensionSubjects {
        SuspensionSubjects::Resume {
            suspension: self.digest,
            entry: Digest::of(&self.entry),
        }
    }
}

/// The suspensions in force, the oldest first. Replayed once a process, and again after each entry that
/// suspends or resumes.
///
/// # Errors
/// [`StoreError`], also where an entry cannot be read: nobody can say then what is suspended.
pub async fn in_force(backend: &Backend, conn: &mut Conn) -> Result<Arc<Vec<InForce>>, StoreError> {
    let to = (
        log::latest_of_kind(conn, EntryKind::AutonomySuspended).await?,
        log::latest_of_kind(conn, EntryKind::AutonomyResumed).await?,
    );
    if let Some(known) = backend.suspensions(to) {
        return Ok(known);
    }
    let Some(sealed) = backend.sealed() else {
        return Ok(Arc::default());
    };
    let found = Arc::new(replay(&sealed, conn).await?);
    backend.set_suspensions(to, &found);
    Ok(found)
}

/// As assessments see them.
///
/// # Errors
/// As [`in_force`].
pub async fn facts(backend: &Backend, conn: &mut Conn) -> Result<BTreeSet<Suspended>, StoreError> {
    let in_force = in_force(backend, conn).await?;
    Ok(in_force
        .iter()
        .map(|suspension| suspension.suspended.clone())
        .collect())
}

/// Who has signed that `suspension` may be resumed, and is counted at `now`. A decision that no longer
/// holds is left out: it must keep nobody from signing.
///
/// # Errors
/// [`StoreError`], but for damaged decisions.
pub async fn signed(
    roster: &Roster,
    conn: &mut Conn,
    suspension: &InForce,
    now: DateTime<Utc>,
) -> Result<Vec<VerifiedDecision>, StoreError> {
    let subjects = suspension.resumption();
    let mut signed = Vec::new();
    for recorded in decisions::about(conn, &About::Suspension(suspension.digest)).await? {
        if recorded.kind != DecisionKind::ResumeAutonomy || recorded.voided {
            continue;
        }
        let decision = match decisions::unverified(conn, recorded.digest).await {
            Ok(decision) => decision.verify(roster).map_err(|error| error.to_string()),
            Err(StoreError::Damaged(reason)) => Err(reason),
            Err(error) => return Err(error),
        };
        match decision {
            Ok(decision) => {
                let about = decision.confirm_suspension(&subjects, &decision.claimed_offer());
                if about.is_ok() && decision.check_valid_at(now).is_ok() {
                    signed.push(decision);
                }
            }
            Err(reason) => {
                tracing::error!(decision = %recorded.digest, reason, "a decision does not hold; it is left out");
            }
        }
    }
    Ok(signed)
}

async fn replay(sealed: &SealedGenesis, conn: &mut Conn) -> Result<Vec<InForce>, StoreError> {
    let mut in_force = Vec::new();
    for found in log::of_kind(conn, EntryKind::AutonomySuspended).await? {
        let entry = Entry::from_bytes(&found.bytes)?;
        let body: AutonomySuspended = entry.body()?;
        in_force.push(InForce {
            digest: body.suspension,
            suspended: Suspended {
                suspends: body.suspends,
                by: body.approver,
                since: entry.at,
            },
            index: found.index,
            entry: found.bytes,
        });
    }
    for found in log::of_kind(conn, EntryKind::AutonomyResumed).await? {
        let entry = Entry::from_bytes(&found.bytes)?;
        let body: AutonomyResumed = entry.body()?;
        let Some(position) = in_force.iter().position(|suspension| {
            suspension.digest == body.suspension && suspension.index < found.index
        }) else {
            continue;
        };
        let subjects = in_force.get(position).map(InForce::resumption);
        match resumed(sealed, conn, subjects, &body, entry.at).await {
            Ok(Ok(())) => {
                in_force.remove(position);
            }
            Ok(Err(reason)) | Err(StoreError::Damaged(reason)) => {
                tracing::error!(suspension = %body.suspension, index = found.index, reason,
                    "a resumption does not hold; what it would resume stays suspended");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(in_force)
}

/// Verifies the decisions that an entry resumes by; why they are not enough.
async fn resumed(
    sealed: &SealedGenesis,
    conn: &mut Conn,
    subjects: Option<SuspensionSubjects>,
    body: &AutonomyResumed,
    at: DateTime<Utc>,
) -> Result<Result<(), String>, StoreError> {
    let (Some(subjects), Some((by, mixture))) = (subjects, rule(DecisionKind::ResumeAutonomy))
    else {
        return Ok(Err("nobody may resume it".to_owned()));
    };
    let mut verified = Vec::new();
    for digest in &body.decisions {
        let decision = match decisions::unverified(conn, *digest)
            .await?
            .verify(&sealed.roster)
        {
            Ok(decision) => decision,
            Err(error) => return Ok(Err(format!("a decision does not hold: {error}"))),
        };
        if let Err(error) = decision.confirm_suspension(&subjects, &decision.claimed_offer()) {
            return Ok(Err(format!("a decision is about something else: {error}")));
        }
        verified.push(decision);
    }
    Ok(
        Quorum::form_mixed(&verified, &by, mixture, &BTreeSet::new(), at)
            .map(|_| ())
            .map_err(|error| error.to_string()),
    )
}

/// Holds every operation that runs alone and is suspended now. The gates close for them in any case; this
/// says so at once, also where one soaks or waits.
pub async fn hold_all(backend: Arc<Backend>) {
    let running = async {
        let mut conn = backend.store.read().await?;
        operations::unfinished_heads(&mut conn).await
    };
    let running = match running.await {
        Ok(running) => running,
        Err(error) => {
            tracing::error!(%error, "what is suspended could not be held at once; its gates are closed");
            return;
        }
    };
    for operation in running
        .into_iter()
        .filter(|operation| operation.authority == AuthorityKind::Autonomous)
    {
        // One that cannot be held keeps no other one running.
        if let Err(error) = hold(&backend, &operation).await {
            tracing::error!(operation = %operation.id, %error, "it could not be held at once; its gates are closed");
        }
    }
}

async fn hold(backend: &Arc<Backend>, stored: &Head) -> Result<(), OperateError> {
    let mut tx = backend.store.begin().await?;
    let machine = operations::machine(&mut tx, &stored.id).await?;
    let Authority::Autonomous(grant) = machine.authority() else {
        return Ok(());
    };
    match machine.phase() {
        Phase::Running | Phase::Soaking { .. } | Phase::CoolingDown { .. } => {}
        Phase::Ready
        | Phase::Held { .. }
        | Phase::Halted
        | Phase::Aborting { .. }
        | Phase::RollingBack { .. }
        | Phase::Ended { .. } => return Ok(()),
    }
    let Some(item) = &stored.item else {
        return Ok(());
    };
    let Some(item) = items::find(&mut tx, item).await? else {
        return Ok(());
    };
    let envelope: countersign_core::envelope::Envelope =
        payloads::value(&mut tx, grant.envelope()).await?;
    let facts = facts(backend, &mut tx).await?;
    let covering = countersign_core::suspension::covering(
        &facts,
        &item.agent,
        Some((&envelope.name, grant.rule())),
    );
    if let Some(suspended) = covering {
        let reason = suspended.to_string();
        operate::apply(backend, &mut tx, &stored.id, EventKind::Hold { reason }).await?;
        tx.commit().await?;
    }
    Ok(())
}
