//! Evidence: everything that proves a decision, for anyone to check offline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use countersign_core::briefing::Briefing;
use countersign_core::decision::{Diff, OperationDocument, UnverifiedDecision};
use countersign_core::evidence::{self, ConsistencyFile, Inputs, LoggedEntry};
use countersign_core::identifier::{Digest, OperationId, ProposalId};
use countersign_core::log::{EntryKind, tree};
use countersign_core::statement::{CheckpointReference, Salted, Statement, SubjectName};
use countersign_core::webauthn::Bytes;
use countersign_core::{canonical, genesis::Genesis};
use countersign_wire::decision::About;
use serde_json::json;

use crate::auth::Reader;
use crate::backend::Backend;
use crate::body::Path;
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::routes::both_sides;
use crate::store::items::Item;
use crate::store::operations::Stored;
use crate::store::{Conn, StoreError, decisions, documents, items, log, operations, payloads};

/// What the evidence is about.
enum Subject {
    Item(Box<Item>),
    Drill(Box<Stored>),
    Envelope(Digest),
    Suspension(Digest),
}

/// `GET /v1/evidence/{id}`: of an item, an operation (with the item it carries out), an envelope or a
/// suspension.
pub(super) async fn export(
    reader: Reader,
    State(backend): State<Arc<Backend>>,
    Path(id): Path<String>,
) -> Result<axum::Json<BTreeMap<String, Bytes>>, Refusal> {
    let sealed = backend.genesis()?;
    let mut conn = backend.store.read().await?;
    let subject = find(&mut conn, &id).await?;
    let (inputs, about) = gather(&backend, &mut conn, &sealed.genesis, subject).await?;
    drop(conn);
    let files = tokio::task::spawn_blocking(move || evidence::export(&inputs))
        .await
        .map_err(|_| codes::INTERNAL.because("the evidence could not be written"))?
        .map_err(|error| StoreError::Damaged(format!("the evidence of `{id}`: {error}")))?;
    let mut tx = backend.change().await?;
    let mut body = json!({"by": reader.name(), "item": about.item, "operation": about.operation, "envelope": about.envelope});
    if let (Some(suspension), Some(members)) = (about.suspension, body.as_object_mut()) {
        members.insert("suspension".to_owned(), json!(suspension));
    }
    tx.note(
        backend.clock.now(),
        EntryKind::EvidenceExported,
        &log::About::nothing(),
        body,
    )
    .await?;
    tx.commit().await?;
    Ok(axum::Json(
        files
            .into_iter()
            .map(|(path, bytes)| (path, Bytes(bytes)))
            .collect(),
    ))
}

async fn find(conn: &mut Conn, id: &str) -> Result<Subject, Refusal> {
    let nothing = || {
        codes::NOT_FOUND.because(format!(
            "there is no item, operation, envelope or suspension `{id}`"
        ))
    };
    if let Ok(digest) = id.parse::<Digest>() {
        if documents::envelope(conn, digest).await?.is_some() {
            return Ok(Subject::Envelope(digest));
        }
        if decisions::about(conn, &About::Suspension(digest))
            .await?
            .is_empty()
        {
            return Err(nothing());
        }
        return Ok(Subject::Suspension(digest));
    }
    let mut item = id.parse::<ProposalId>().map_err(|_| nothing())?;
    let operation = id.parse::<OperationId>().map_err(|_| nothing())?;
    if let Some(stored) = operations::find(conn, &operation).await? {
        match &stored.item {
            Some(of) => item = of.clone(),
            None => return Ok(Subject::Drill(Box::new(stored))),
        }
    }
    let item = items::find(conn, &item).await?.ok_or_else(nothing)?;
    Ok(Subject::Item(Box::new(item)))
}

async fn gather(
    backend: &Backend,
    conn: &mut Conn,
    genesis: &Genesis,
    subject: Subject,
) -> Result<(Inputs, log::About), Refusal> {
    let mut inputs = Inputs::default();
    let (about, decided) = match subject {
        Subject::Item(item) => of_item(conn, &item, &mut inputs).await?,
        Subject::Drill(stored) => of_drill(conn, &stored, &mut inputs).await?,
        Subject::Envelope(digest) => of_envelope(conn, digest, &mut inputs).await?,
        Subject::Suspension(digest) => {
            inputs.documents.push(payloads::get(conn, digest).await?);
            (
                log::About::suspension(digest),
                vec![About::Suspension(digest)],
            )
        }
    };
    let mut recorded = Vec::new();
    for about in &decided {
        recorded.extend(decisions::about(conn, about).await?);
    }
    recorded.sort_by_key(|decision| decision.index);
    let mut pinned = BTreeMap::new();
    for decision in recorded {
        let unverified = decisions::unverified(conn, decision.digest).await?;
        let statement = read(&unverified)?;
        let reference = statement.predicate.checkpoint;
        pinned.insert(reference.size, reference);
        if let Some(rationale) = payloads::erasable(conn, statement.predicate.rationale).await? {
            inputs.salted.push(Salted {
                salt: Bytes(rationale.salt),
                text: rationale.text,
            });
        }
        // What a decision about an operation names besides the operation itself.
        for name in [SubjectName::Touched, SubjectName::Remaining] {
            if let Some(digest) = statement.subject(name) {
                inputs.documents.push(payloads::get(conn, digest).await?);
            }
        }
        inputs.decisions.push(unverified);
    }
    for name in genesis
        .approvers
        .iter()
        .map(|approver| approver.name_commitment)
    {
        if let Some(name) = payloads::erasable(conn, name).await? {
            inputs.salted.push(Salted {
                salt: Bytes(name.salt),
                text: name.text,
            });
        }
    }
    inputs.documents.sort();
    inputs.documents.dedup();
    prove(backend, conn, &about, pinned.into_values(), &mut inputs).await?;
    Ok((inputs, about))
}

fn read(decision: &UnverifiedDecision) -> Result<Statement, StoreError> {
    serde_json::from_slice(&decision.statement)
        .map_err(|error| StoreError::Damaged(format!("a statement: {error}")))
}

/// Checkpoint, entries with their inclusion, and consistency with every checkpoint that was signed.
async fn prove(
    backend: &Backend,
    conn: &mut Conn,
    about: &log::About,
    pinned: impl Iterator<Item = CheckpointReference>,
    inputs: &mut Inputs,
) -> Result<(), Refusal> {
    let (checkpoint, note) = log::checkpoint(conn, &backend.deployment, &backend.log_key).await?;
    inputs.checkpoint = note;
    let limit = limits::EVIDENCE_ENTRIES_MAX;
    let Some(mut entries) = log::entries_about(conn, about, limit).await? else {
        return Err(codes::EVIDENCE_TOO_LARGE.because(format!(
            "the log has more than {limit} entries about it; read them at /log/entries and prove them at /log/proof"
        )));
    };
    if entries.first().is_none_or(|entry| entry.index != 0) {
        entries.insert(
            0,
            log::entry(conn, 0)
                .await?
                .ok_or_else(|| StoreError::Damaged("the log has no genesis".to_owned()))?,
        );
    }
    let mut positions = BTreeSet::new();
    for entry in &entries {
        positions.extend(
            tree::positions_of_inclusion(entry.index, checkpoint.size).map_err(StoreError::from)?,
        );
    }
    let pinned: Vec<CheckpointReference> =
        pinned.filter(|old| old.size < checkpoint.size).collect();
    for old in &pinned {
        positions.extend(
            tree::positions_of_consistency(old.size, checkpoint.size).map_err(StoreError::from)?,
        );
    }
    let positions: Vec<u64> = positions.into_iter().collect();
    let known = log::hashes(conn, &positions).await?;
    for entry in entries {
        inputs.entries.push(LoggedEntry {
            index: entry.index,
            proof: tree::inclusion_proof(entry.index, checkpoint.size, &known)
                .map_err(StoreError::from)?,
            bytes: entry.bytes,
        });
    }
    for old in pinned {
        inputs.consistency.push(ConsistencyFile {
            proof: tree::consistency_proof(old.size, checkpoint.size, &known)
                .map_err(StoreError::from)?,
            old,
        });
    }
    Ok(())
}

async fn of_item(
    conn: &mut Conn,
    item: &Item,
    inputs: &mut Inputs,
) -> Result<(log::About, Vec<About>), StoreError> {
    let bytes = payloads::get(conn, item.briefing).await?;
    let briefing: Briefing = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Damaged(format!("the briefing of `{}`: {error}", item.id)))?;
    inputs.briefing = Some(bytes);
    inputs
        .documents
        .push(payloads::get(conn, briefing.digests.topology).await?);
    if let Some(envelope) = briefing.digests.envelope {
        inputs.documents.push(payloads::get(conn, envelope).await?);
    }
    let mut decided = vec![About::Item(item.id.clone())];
    if let Some(operation) = &item.operation
        && let Some(stored) = operations::find(conn, operation).await?
    {
        inputs
            .documents
            .push(payloads::get(conn, stored.document).await?);
        decided.push(About::Operation(operation.clone()));
    }
    let about = log::About {
        item: Some(item.id.clone()),
        operation: item.operation.clone(),
        ..log::About::default()
    };
    Ok((about, decided))
}

async fn of_drill(
    conn: &mut Conn,
    stored: &Stored,
    inputs: &mut Inputs,
) -> Result<(log::About, Vec<About>), StoreError> {
    let bytes = payloads::get(conn, stored.document).await?;
    let _checked: OperationDocument = serde_json::from_slice(&bytes).map_err(|error| {
        StoreError::Damaged(format!("the document of `{}`: {error}", stored.id))
    })?;
    inputs.documents.push(bytes);
    Ok((
        log::About::operation(&stored.id, None),
        vec![About::Operation(stored.id.clone())],
    ))
}

async fn of_envelope(
    conn: &mut Conn,
    digest: Digest,
    inputs: &mut Inputs,
) -> Result<(log::About, Vec<About>), StoreError> {
    let row = documents::envelope(conn, digest)
        .await?
        .ok_or_else(|| StoreError::Damaged(format!("the envelope {digest} is missing")))?;
    let (before, envelope) = both_sides(conn, &row).await?;
    let diff = Diff::between(before.as_ref(), &envelope)?;
    inputs.documents.push(canonical::to_bytes(&diff)?);
    inputs.documents.push(canonical::to_bytes(&envelope)?);
    if let Some(before) = before {
        inputs.documents.push(canonical::to_bytes(&before)?);
    }
    Ok((log::About::envelope(digest), vec![About::Envelope(digest)]))
}
