//! The HTTP interface (DESIGN §9): one file a subject, in the order of the one path.

mod checkpoints;
mod decisions;
mod deployment;
mod documents;
mod drills;
mod events;
mod evidence;
mod genesis;
mod operations;
mod proposals;
mod queue;
mod registry;
mod sessions;
mod status;
mod suspensions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};

use crate::auth;
use crate::backend::Backend;
use crate::body::BodyLimit;
use crate::limits;
use crate::problem::{Refusal, RefusalCode, codes};

pub(crate) use documents::both_sides;
pub(crate) use genesis::started;

/// Every route.
pub fn router(backend: Arc<Backend>) -> Router {
    let envelopes = Router::new()
        .route(
            "/v1/envelopes",
            get(documents::envelopes).post(documents::import_envelope),
        )
        .layer(Extension(BodyLimit(limits::ENVELOPE_BYTES_MAX)));
    let topology = Router::new()
        .route(
            "/v1/topology",
            get(documents::topology).post(documents::import_topology),
        )
        .layer(Extension(BodyLimit(limits::TOPOLOGY_BYTES_MAX)));
    let proposals = Router::new()
        .route("/v1/proposals", post(proposals::propose))
        .layer(Extension(BodyLimit(limits::PROPOSAL_BYTES_MAX)));
    let decisions = Router::new()
        .route("/v1/decisions", post(decisions::decide))
        .layer(Extension(BodyLimit(limits::DECISION_BYTES_MAX)));
    Router::new()
        .route("/healthz", get(status::alive))
        .route("/readyz", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/v1/deployment", get(deployment::deployment))
        .route("/v1/genesis", get(genesis::sealed).post(genesis::begin))
        .route(
            "/v1/genesis/registrations",
            post(genesis::begin_registration),
        )
        .route(
            "/v1/genesis/registrations/{approver}",
            put(genesis::finish_registration),
        )
        .route("/v1/genesis/seal", post(genesis::seal))
        .route("/v1/sessions/nonce", post(sessions::nonce))
        .route(
            "/v1/sessions",
            post(sessions::open).merge(delete(sessions::close)),
        )
        .route("/v1/agents", post(registry::agent))
        .route("/v1/sources", post(registry::source))
        .route("/v1/detections", post(registry::detection))
        .route("/v1/detections/{id}/outcome", post(registry::outcome))
        .route("/v1/signals", post(registry::signal))
        .route("/v1/error-budgets", post(registry::error_budget))
        .route("/v1/envelopes/{digest}", get(documents::envelope))
        .route("/v1/topology/{digest}", get(documents::topology_of))
        .route("/v1/proposals/{id}", get(proposals::proposal))
        .route("/v1/queue", get(queue::page))
        .route("/v1/queue/{id}", get(queue::item))
        .route("/v1/briefings/{id}", get(queue::briefing))
        .route("/v1/nonces", post(decisions::nonce))
        .route(
            "/v1/suspensions",
            get(suspensions::list).post(suspensions::suspend),
        )
        .route("/v1/operations", get(operations::list))
        .route("/v1/operations/{id}", get(operations::operation))
        .route("/v1/operations/{id}/halt", post(operations::halt))
        .route("/v1/drills", get(drills::list).post(drills::start))
        .route("/v1/evidence/{id}", get(evidence::export))
        .route("/v1/events", get(events::stream))
        .route("/log/checkpoint", get(checkpoints::checkpoint))
        .route("/log/tile/{*path}", get(checkpoints::tile))
        .route("/log/entries/{index}", get(checkpoints::entry))
        .route("/log/proof/inclusion", get(checkpoints::inclusion))
        .route("/log/proof/consistency", get(checkpoints::consistency))
        .layer(Extension(BodyLimit(limits::BODY_BYTES_MAX)))
        .merge(envelopes)
        .merge(topology)
        .merge(proposals)
        .merge(decisions)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&backend),
            strangers,
        ))
        .with_state(backend)
}

async fn not_found() -> Refusal {
    codes::NOT_FOUND.because("there is no such route; look at the path")
}

async fn method_not_allowed() -> Refusal {
    codes::METHOD_NOT_ALLOWED
        .because("the route exists for other methods; the header `Allow` names them")
}

/// Routes that answer anybody.
const FOR_ANYBODY: [&str; 7] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/deployment",
    "/v1/genesis",
    "/v1/sessions",
    "/log/",
];

/// Bounds how often strangers may ask, and counts what they are refused. A stranger is who shows no
/// token that is known here, and anybody who signs in.
async fn strangers(State(backend): State<Arc<Backend>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let sign_in = path.starts_with("/v1/sessions");
    let answers_anybody = FOR_ANYBODY.iter().any(|route| path.starts_with(route));
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let anonymous = !request.headers().contains_key(AUTHORIZATION);
    if let Some(address) = address {
        let limiter = &backend.limiter;
        // A token is looked up where the answer does not depend on it, or once there were many
        // unknown ones from there; everywhere else the route does it.
        let stranger = sign_in
            || anonymous
            || ((answers_anybody || limiter.is_exhausted(address, Instant::now()))
                && !auth::comes_from_known(&backend, request.headers()).await);
        if stranger && !limiter.admits(address, Instant::now()) {
            backend.refusals.count(codes::TOO_MANY_REQUESTS.name);
            return codes::TOO_MANY_REQUESTS
                .because("wait a second and ask again")
                .into_response();
        }
    }
    let response = next.run(request).await;
    let unauthenticated = response.status() == StatusCode::UNAUTHORIZED;
    if unauthenticated
        && !anonymous
        && !answers_anybody
        && let Some(address) = address
    {
        // It was let through for its token, which nobody knows: it is charged all the same.
        backend.limiter.admits(address, Instant::now());
    }
    let counted = unauthenticated || (sign_in && response.status().is_client_error());
    if counted && let Some(RefusalCode(code)) = response.extensions().get::<RefusalCode>() {
        backend.refusals.count(code);
    }
    response
}
