//! Who the backend says it is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use countersign_core::webauthn::Bytes;
use countersign_wire::deployment::Deployment;

use crate::backend::Backend;

/// `GET /v1/deployment`: for anybody; a console holds it against its pinned record.
pub(super) async fn deployment(State(backend): State<Arc<Backend>>) -> Json<Deployment> {
    let sealed = backend.sealed();
    Json(Deployment {
        deployment: backend.deployment.to_string(),
        rp_id: backend.deployment.rp_id(),
        log_key: Bytes(backend.log_key.verifying_key().to_bytes().to_vec()),
        genesis: sealed.as_ref().map(|sealed| sealed.digest),
        name: sealed.as_ref().map(|sealed| sealed.genesis.name.clone()),
        demonstration: sealed
            .as_ref()
            .is_some_and(|sealed| sealed.genesis.demonstration),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
