//! Envelopes and topologies: their own bytes come in, their canonical bytes go out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use countersign_core::canonical;
use countersign_core::decision::{EnvelopeSubjects, envelope_rule};
use countersign_core::diagnostic::{Checked, DocumentError};
use countersign_core::document;
use countersign_core::envelope::Envelope;
use countersign_core::identifier::Digest;
use countersign_core::log::EntryKind;
use countersign_core::topology::Topology;
use countersign_wire::decision::About;
use countersign_wire::registry::{EnvelopeState, EnvelopeSummary, Imported};
use serde_json::json;

use crate::auth::{Operator, Reader};
use crate::backend::Backend;
use crate::body::{self, Document, Path};
use crate::loosening::loosened;
use crate::problem::{Refusal, codes, places};
use crate::store::documents::{self, EnvelopeRow};
use crate::store::payloads::{self, PayloadKind};
use crate::store::{Conn, StoreError, decisions, log};

/// Reads a document off the runtime: the largest take seconds.
async fn read<T: Send + 'static>(
    document: Document,
    read: fn(&[u8]) -> Result<Checked<T>, DocumentError>,
) -> Result<Checked<T>, Refusal> {
    match tokio::task::spawn_blocking(move || read(&document.0)).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(codes::INTERNAL.because("the document could not be read")),
    }
}

fn read_envelope(text: &[u8]) -> Result<Checked<Envelope>, DocumentError> {
    document::envelope(text)
}

fn read_topology(text: &[u8]) -> Result<Checked<Topology>, DocumentError> {
    document::topology(text)
}

/// `POST /v1/envelopes`: a draft, until the board has signed it.
pub(super) async fn import_envelope(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    document: Document,
) -> Result<axum::Json<Imported>, Refusal> {
    let Checked {
        document: envelope,
        warnings,
    } = read(document, read_envelope).await?;
    let bytes = canonical::to_bytes(&envelope).map_err(StoreError::from)?;
    let digest = Digest::of(&bytes);
    let mut tx = backend.change().await?;
    if documents::envelope(&mut tx, digest).await?.is_some() {
        return Ok(axum::Json(Imported {
            digest,
            created: false,
            warnings: places(&warnings),
        }));
    }
    if let Some(before) = documents::authorised(&mut tx).await? {
        if before.name != envelope.name {
            return Err(codes::ENVELOPE_NAME.because(format!(
                "the envelope in force is `{}`; give the new version the same name",
                before.name
            )));
        }
        if envelope.version <= before.version {
            return Err(codes::ENVELOPE_VERSION.because(format!(
                "version {} is in force; give the new one a higher number than {}",
                before.version, envelope.version
            )));
        }
    }
    let now = backend.clock.now();
    tx.keep(PayloadKind::Envelope, &bytes).await?;
    tx.draft_envelope(digest, &envelope.name, envelope.version, now)
        .await?;
    let body = json!({"envelope": digest, "name": envelope.name, "version": envelope.version});
    tx.note(
        now,
        EntryKind::EnvelopeImported,
        &log::About::envelope(digest),
        body,
    )
    .await?;
    tx.commit().await?;
    Ok(axum::Json(Imported {
        digest,
        created: true,
        warnings: places(&warnings),
    }))
}

/// `POST /v1/topology`: counts at once, unless it loosens what holds.
pub(super) async fn import_topology(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    document: Document,
) -> Result<axum::Json<Imported>, Refusal> {
    let Checked {
        document: topology,
        warnings,
    } = read(document, read_topology).await?;
    let bytes = canonical::to_bytes(&topology).map_err(StoreError::from)?;
    let digest = Digest::of(&bytes);
    let mut tx = backend.change().await?;
    let before = backend.graph(&mut tx).await?;
    if let Some((known, old)) = &before {
        if *known == digest {
            return Ok(axum::Json(Imported {
                digest,
                created: false,
                warnings: places(&warnings),
            }));
        }
        let reasons = loosened(old.topology(), &topology);
        if !reasons.is_empty() {
            return Err(codes::TOPOLOGY_LOOSENING.because(format!(
                "people must accept that first, which a later version offers; until then the topology before it counts: {}",
                reasons.join("; ")
            )));
        }
    }
    let now = backend.clock.now();
    tx.keep(PayloadKind::Topology, &bytes).await?;
    tx.count_topology(digest, now).await?;
    let body = json!({
        "topology": digest, "before": before.map(|(digest, _)| digest), "observed_at": topology.observed_at,
        "source": topology.source, "systems": topology.systems.len(), "services": topology.services.len(),
        "dependencies": topology.dependencies.len(),
    });
    tx.note(
        now,
        EntryKind::TopologyImported,
        &log::About::nothing(),
        body,
    )
    .await?;
    tx.commit().await?;
    Ok(axum::Json(Imported {
        digest,
        created: true,
        warnings: places(&warnings),
    }))
}

/// `GET /v1/envelopes`: the latest import first.
pub(super) async fn envelopes(
    _: Reader,
    State(backend): State<Arc<Backend>>,
) -> Result<axum::Json<Vec<EnvelopeSummary>>, Refusal> {
    let mut conn = backend.store.read().await?;
    let mut summaries = Vec::new();
    for row in documents::envelopes(&mut conn).await? {
        summaries.push(summary(&mut conn, &row).await?);
    }
    Ok(axum::Json(summaries))
}

/// The envelopes on either side of an authorisation: the one before and this.
pub(crate) async fn both_sides(
    conn: &mut Conn,
    row: &EnvelopeRow,
) -> Result<(Option<Envelope>, Envelope), StoreError> {
    let before = match row.state {
        EnvelopeState::Draft => documents::authorised(conn)
            .await?
            .map(|before| before.digest),
        EnvelopeState::Authorised | EnvelopeState::Replaced => row.before,
    };
    let before = match before {
        Some(digest) => Some(payloads::value(conn, digest).await?),
        None => None,
    };
    Ok((before, payloads::value(conn, row.digest).await?))
}

async fn summary(conn: &mut Conn, row: &EnvelopeRow) -> Result<EnvelopeSummary, StoreError> {
    let (before, envelope) = both_sides(conn, row).await?;
    let rule = envelope_rule(before.as_ref(), &envelope);
    let subjects = EnvelopeSubjects::new(before.as_ref(), &envelope)?;
    let signed = decisions::about(conn, &About::Envelope(row.digest))
        .await?
        .iter()
        .filter(|decision| !decision.voided)
        .count();
    Ok(EnvelopeSummary {
        digest: row.digest,
        name: row.name.clone(),
        version: row.version,
        state: row.state,
        board: rule
            .roles
            .into_iter()
            .next()
            .unwrap_or(envelope.authority.board),
        needed: rule.needed,
        signed: u32::try_from(signed).unwrap_or(u32::MAX),
        effective: envelope.authority.effective,
        expires: envelope.authority.expires,
        before: subjects.before,
        diff: subjects.diff,
    })
}

/// `GET /v1/envelopes/{digest}`: canonical bytes.
pub(super) async fn envelope(
    _: Reader,
    State(backend): State<Arc<Backend>>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let digest = parse(&digest)?;
    let mut conn = backend.store.read().await?;
    if documents::envelope(&mut conn, digest).await?.is_none() {
        return Err(codes::NOT_FOUND.because(format!("there is no envelope {digest}")));
    }
    let bytes = payloads::get(&mut conn, digest).await?;
    Ok(body::document(&headers, digest, bytes))
}

/// `GET /v1/topology`: the canonical bytes of the one in force.
pub(super) async fn topology(
    _: Reader,
    State(backend): State<Arc<Backend>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut conn = backend.store.read().await?;
    let Some(digest) = documents::topology(&mut conn).await? else {
        return Err(codes::NO_TOPOLOGY.because("import one with `POST /v1/topology`"));
    };
    let bytes = payloads::get(&mut conn, digest).await?;
    Ok(body::document(&headers, digest, bytes))
}

/// `GET /v1/topology/{digest}`: canonical bytes, also of one that no longer counts.
pub(super) async fn topology_of(
    _: Reader,
    State(backend): State<Arc<Backend>>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let digest = parse(&digest)?;
    let mut conn = backend.store.read().await?;
    if !documents::has_topology(&mut conn, digest).await? {
        return Err(codes::NOT_FOUND.because(format!("there is no topology {digest}")));
    }
    let bytes = payloads::get(&mut conn, digest).await?;
    Ok(body::document(&headers, digest, bytes))
}

fn parse(digest: &str) -> Result<Digest, Refusal> {
    digest
        .parse()
        .map_err(|error: countersign_core::identifier::DigestError| {
            codes::NOT_FOUND.because(error.to_string())
        })
}
