//! The log for auditors and witnesses: C2SP checkpoint and tiles, entries, proofs.
//!
//! Checkpoint and hash tiles are for anybody: they are hashes. Entries take a session of any role, or
//! the operator's token, until there are auditors of their own.

use std::sync::Arc;

use axum::extract::FromRequestParts as _;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use countersign_core::identifier::Digest;
use countersign_core::log::tile::{Tile, TileKind};
use countersign_core::log::{TreeError, tree};
use serde::{Deserialize, Serialize};

use crate::auth::Reader;
use crate::backend::Backend;
use crate::body::{Path, Query};
use crate::problem::{Refusal, codes};
use crate::store::log::{self, ReadTileError};

/// `GET /log/checkpoint`: the signed note over the log as it is now.
pub(super) async fn checkpoint(
    State(backend): State<Arc<Backend>>,
) -> Result<impl IntoResponse, Refusal> {
    let mut conn = backend.store.read().await?;
    let (_, note) = log::checkpoint(&mut conn, &backend.deployment, &backend.log_key).await?;
    Ok((
        [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (CACHE_CONTROL, "no-cache"),
        ],
        note,
    ))
}

/// `GET /log/tile/{path}`.
pub(super) async fn tile(
    State(backend): State<Arc<Backend>>,
    Path(path): Path<String>,
    mut parts: Parts,
) -> Result<Response, Refusal> {
    let tile = Tile::parse(&path).map_err(|error| codes::NOT_FOUND.because(error.to_string()))?;
    if tile.kind == TileKind::Entries {
        Reader::from_request_parts(&mut parts, &backend).await?;
    }
    let mut conn = backend.store.read().await?;
    match log::tile(&mut conn, &tile).await {
        Ok(bytes) => Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response()),
        Err(ReadTileError::Tile(error)) => Err(codes::NOT_FOUND.because(error.to_string())),
        Err(ReadTileError::Store(error)) => Err(error.into()),
    }
}

/// `GET /log/entries/{index}`: the exact bytes of a leaf.
pub(super) async fn entry(
    _: Reader,
    State(backend): State<Arc<Backend>>,
    Path(index): Path<u64>,
) -> Result<impl IntoResponse, Refusal> {
    let mut conn = backend.store.read().await?;
    match log::entry(&mut conn, index).await? {
        Some(found) => Ok(([(CONTENT_TYPE, "application/json")], found.bytes)),
        None => Err(codes::NOT_FOUND.because(format!("the log has no entry {index} yet"))),
    }
}

/// A proof: sibling hashes.
#[derive(Debug, Serialize)]
pub(super) struct Proof {
    hashes: Vec<Digest>,
}

/// Which entry, in which log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inclusion {
    index: u64,
    size: u64,
}

/// `GET /log/proof/inclusion?index=&size=`.
pub(super) async fn inclusion(
    State(backend): State<Arc<Backend>>,
    Query(of): Query<Inclusion>,
) -> Result<axum::Json<Proof>, Refusal> {
    let mut conn = backend.store.read().await?;
    check_size(log::size(&mut conn).await?, of.size)?;
    let positions =
        tree::positions_of_inclusion(of.index, of.size).map_err(|error| outside(&error))?;
    let known = log::hashes(&mut conn, &positions).await?;
    let hashes =
        tree::inclusion_proof(of.index, of.size, &known).map_err(|error| outside(&error))?;
    Ok(axum::Json(Proof { hashes }))
}

/// From which log to which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consistency {
    old: u64,
    new: u64,
}

/// `GET /log/proof/consistency?old=&new=`.
pub(super) async fn consistency(
    State(backend): State<Arc<Backend>>,
    Query(of): Query<Consistency>,
) -> Result<axum::Json<Proof>, Refusal> {
    let mut conn = backend.store.read().await?;
    check_size(log::size(&mut conn).await?, of.new)?;
    let positions =
        tree::positions_of_consistency(of.old, of.new).map_err(|error| outside(&error))?;
    let known = log::hashes(&mut conn, &positions).await?;
    let hashes =
        tree::consistency_proof(of.old, of.new, &known).map_err(|error| outside(&error))?;
    Ok(axum::Json(Proof { hashes }))
}

fn check_size(size: u64, asked: u64) -> Result<(), Refusal> {
    if asked > size {
        return Err(codes::NOT_FOUND.because(format!("the log has {size} entries, not {asked}")));
    }
    Ok(())
}

fn outside(error: &TreeError) -> Refusal {
    match error {
        TreeError::OutOfRange { .. } => codes::PARAMETER_INVALID.because(error.to_string()),
        TreeError::MissingHash { .. } => {
            tracing::error!(%error, "the log is damaged");
            codes::INTERNAL.because("the log is damaged; the backend's own log says where")
        }
    }
}
