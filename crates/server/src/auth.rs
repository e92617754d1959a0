//! Who asks. The type of a route's first argument says who may.
//!
//! The operator's token imports, registers and drills; a session reads; an agent's secret proposes; a
//! source's secret sends signals. None of them decides anything: that takes a signature.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use countersign_core::identifier::{AgentId, ApproverId, Role};

use crate::backend::Backend;
use crate::problem::{Refusal, codes};
use crate::secret::{Holder, SecretHash};
use crate::store::registry::KnownSource;
use crate::store::{approvers, registry};

/// The local operator.
#[derive(Debug, Clone, Copy)]
pub struct Operator;

/// A person who signed in with a key.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who.
    pub approver: ApproverId,
    /// The roles held.
    pub roles: BTreeSet<Role>,
    /// The hash of the token, by which the session ends.
    pub token: SecretHash,
}

/// Somebody who may read: a person or the operator.
#[derive(Debug, Clone)]
pub enum Reader {
    /// A person.
    Session(Session),
    /// The operator.
    Operator,
}

impl Reader {
    /// As the log names them.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Session(session) => session.approver.to_string(),
            Self::Operator => "operator".to_owned(),
        }
    }

    /// Whether they may still read: a session is over once it was closed or has expired.
    pub async fn still_may(&self, backend: &Backend) -> bool {
        match self {
            Self::Operator => true,
            Self::Session(session) => {
                let Ok(mut conn) = backend.store.read().await else {
                    return false;
                };
                let open = approvers::session(&mut conn, &session.token).await;
                matches!(open, Ok(Some(open)) if open.expires_at > backend.clock.now())
            }
        }
    }
}

/// A registered agent.
#[derive(Debug, Clone)]
pub struct Agent(pub AgentId);

/// A registered source of signals.
#[derive(Debug, Clone)]
pub struct Source(pub KnownSource);

/// The bearer token of a request.
fn token(parts: &Parts) -> Result<&str, Refusal> {
    bearer(&parts.headers).ok_or_else(|| {
        codes::UNAUTHENTICATED.because("send `Authorization: Bearer` and your token")
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            value
                .strip_prefix("Bearer ")
                .or_else(|| value.strip_prefix("bearer "))
        })
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

fn unknown() -> Refusal {
    codes::UNAUTHENTICATED
        .because("the token is not known here; sign in again or ask the operator for a new secret")
}

/// A token of another holder than the route is for, where it is a good one.
async fn of_another(backend: &Backend, token: &str, wanted: &str) -> Refusal {
    if is_known(backend, token).await {
        codes::FORBIDDEN.because(format!(
            "this is for {wanted}; your credential is of another kind"
        ))
    } else {
        unknown()
    }
}

/// Whether a request comes with a token that is known here.
pub(crate) async fn comes_from_known(backend: &Backend, headers: &HeaderMap) -> bool {
    match bearer(headers) {
        Some(token) => is_known(backend, token).await,
        None => false,
    }
}

async fn is_known(backend: &Backend, token: &str) -> bool {
    let hash = SecretHash::of(token);
    let Ok(mut conn) = backend.store.read().await else {
        return false;
    };
    match Holder::of(token) {
        Holder::Operator => backend.operator.is(hash.as_bytes()),
        Holder::Session => matches!(approvers::session(&mut conn, &hash).await, Ok(Some(_))),
        Holder::Agent => matches!(registry::agent(&mut conn, &hash).await, Ok(Some(_))),
        Holder::Source => matches!(registry::source(&mut conn, &hash).await, Ok(Some(_))),
    }
}

fn is_operator(backend: &Backend, token: &str) -> bool {
    backend.operator.is(SecretHash::of(token).as_bytes())
}

impl FromRequestParts<Arc<Backend>> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        backend: &Arc<Backend>,
    ) -> Result<Self, Refusal> {
        let token = token(parts)?;
        if is_operator(backend, token) {
            return Ok(Self);
        }
        Err(of_another(backend, token, "the operator").await)
    }
}

async fn session(backend: &Backend, token: &str) -> Result<Session, Refusal> {
    let hash = SecretHash::of(token);
    let mut conn = backend.store.read().await?;
    let Some(open) = approvers::session(&mut conn, &hash).await? else {
        return Err(unknown());
    };
    if open.expires_at <= backend.clock.now() {
        return Err(codes::SESSION_EXPIRED.because("sign in again with your key"));
    }
    let sealed = backend.genesis()?;
    let approver = sealed.roster.approver(&open.approver).ok_or_else(unknown)?;
    Ok(Session {
        approver: open.approver,
        roles: approver.roles.clone(),
        token: hash,
    })
}

impl FromRequestParts<Arc<Backend>> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        backend: &Arc<Backend>,
    ) -> Result<Self, Refusal> {
        let token = token(parts)?;
        match Holder::of(token) {
            Holder::Session => session(backend, token).await,
            Holder::Operator | Holder::Agent | Holder::Source => {
                Err(of_another(backend, token, "people who signed in with a key").await)
            }
        }
    }
}

impl FromRequestParts<Arc<Backend>> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        backend: &Arc<Backend>,
    ) -> Result<Self, Refusal> {
        let token = token(parts)?;
        if is_operator(backend, token) {
            return Ok(Self::Operator);
        }
        match Holder::of(token) {
            Holder::Session => session(backend, token).await.map(Self::Session),
            Holder::Operator | Holder::Agent | Holder::Source => Err(of_another(
                backend,
                token,
                "people who signed in with a key, and the operator",
            )
            .await),
        }
    }
}

impl FromRequestParts<Arc<Backend>> for Agent {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        backend: &Arc<Backend>,
    ) -> Result<Self, Refusal> {
        let token = token(parts)?;
        let mut conn = backend.store.read().await?;
        match registry::agent(&mut conn, &SecretHash::of(token)).await? {
            Some(agent) => Ok(Self(agent)),
            None => {
                drop(conn);
                Err(of_another(backend, token, "registered agents").await)
            }
        }
    }
}

impl FromRequestParts<Arc<Backend>> for Source {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        backend: &Arc<Backend>,
    ) -> Result<Self, Refusal> {
        let token = token(parts)?;
        let mut conn = backend.store.read().await?;
        match registry::source(&mut conn, &SecretHash::of(token)).await? {
            Some(source) => Ok(Self(source)),
            None => {
                drop(conn);
                Err(of_another(backend, token, "registered sources").await)
            }
        }
    }
}
