//! Sign-in with a hardware key. A session reads; it decides nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use countersign_core::decision::UnverifiedSession;
use countersign_core::identifier::ApproverId;
use countersign_core::log::EntryKind;
use countersign_core::statement::{SESSION_NAMESPACE, SessionStatement, challenge};
use countersign_core::webauthn::Bytes;
use countersign_wire::session::{BeginSession, Nonce, OpenSession, Session};
use serde_json::json;

use crate::auth;
use crate::backend::{Backend, SealedGenesis};
use crate::body::Json;
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::secret::{self, Holder, SecretHash};
use crate::sign_in::{check_nonce, refused, use_key};
use crate::store::log::About;
use crate::store::nonces::{Purpose, SESSION};
use crate::store::{Conn, payloads};

/// `POST /v1/sessions/nonce`: for anybody who names an approver.
pub(super) async fn nonce(
    State(backend): State<Arc<Backend>>,
    Json(begin): Json<BeginSession>,
) -> Result<axum::Json<Nonce>, Refusal> {
    let sealed = backend.genesis()?;
    if sealed.roster.approver(&begin.approver).is_none() {
        return Err(
            codes::UNKNOWN_APPROVER.because(format!("`{}` is not enrolled here", begin.approver))
        );
    }
    give_nonce(
        &backend,
        purpose(begin.approver),
        limits::SESSION_NONCES_MAX,
    )
    .await
    .map(axum::Json)
}

/// Gives a nonce for one attempt, of which `open_max` may be open.
pub(super) async fn give_nonce(
    backend: &Backend,
    purpose: Purpose,
    open_max: i64,
) -> Result<Nonce, Refusal> {
    let nonce = secret::random().map_err(|error| codes::INTERNAL.because(error.to_string()))?;
    let mut tx = backend.change().await?;
    let now = backend.clock.now();
    let expires_at = now.checked_add_signed(limits::NONCE_LIFE).unwrap_or(now);
    if !tx
        .give_nonce(&nonce, &purpose, now, expires_at, open_max)
        .await?
    {
        return Err(codes::TOO_MANY_REQUESTS.because(
            "too many attempts of this approver are open; wait five minutes or finish one",
        ));
    }
    tx.commit().await?;
    Ok(Nonce {
        nonce: Bytes(nonce.to_vec()),
        expires_at,
    })
}

fn purpose(approver: ApproverId) -> Purpose {
    Purpose {
        approver,
        about: SESSION.to_owned(),
        kind: SESSION.to_owned(),
    }
}

/// `POST /v1/sessions`.
pub(super) async fn open(
    State(backend): State<Arc<Backend>>,
    Json(open): Json<OpenSession>,
) -> Result<axum::Json<Session>, Refusal> {
    let sealed = backend.genesis()?;
    let statement: SessionStatement =
        serde_json::from_slice(&open.statement.0).map_err(|error| {
            codes::STATEMENT_MALFORMED.because(format!("the statement is malformed: {error}"))
        })?;
    let now = backend.clock.now();
    // Strangers send these: the signature is checked off the runtime, and before the one writer is taken.
    let roster = Arc::clone(&sealed);
    let (unverified, verified) = tokio::task::spawn_blocking(move || {
        let unverified = UnverifiedSession {
            statement: open.statement.0,
            assertion: open.assertion,
        };
        let verified = unverified.verify(&roster.roster, &statement.predicate.nonce, now);
        verified.map(|verified| (unverified, verified))
    })
    .await
    .map_err(|_| codes::INTERNAL.because("the signature could not be checked"))?
    .map_err(|error| refused(&error))?;
    let mut tx = backend.change().await?;
    let approver = verified.approver();
    let nonce = &verified.predicate().nonce.0;
    check_nonce(&mut tx, nonce, &purpose(approver.id.clone()), now).await?;
    tx.use_nonce(nonce, now).await?;
    let signed = challenge(SESSION_NAMESPACE, &unverified.statement);
    use_key(
        &backend,
        &mut tx,
        &approver.id,
        &unverified.assertion,
        &signed,
    )
    .await?;
    let token = secret::generate(Holder::Session)
        .map_err(|error| codes::INTERNAL.because(error.to_string()))?;
    let expires_at = now.checked_add_signed(limits::SESSION_LIFE).unwrap_or(now);
    tx.open_session(&SecretHash::of(&token), &approver.id, expires_at)
        .await?;
    tx.note(
        now,
        EntryKind::SessionOpened,
        &About::nothing(),
        json!({"approver": approver.id, "expires_at": expires_at}),
    )
    .await?;
    let name = name_of(&mut tx, &sealed, &approver.id).await?;
    tx.commit().await?;
    Ok(axum::Json(Session {
        token,
        approver: approver.id.clone(),
        name,
        roles: approver.roles.clone(),
        expires_at,
    }))
}

/// The name for people of an approver, or the id where the name was erased.
pub(crate) async fn name_of(
    conn: &mut Conn,
    sealed: &SealedGenesis,
    id: &ApproverId,
) -> Result<String, Refusal> {
    let Some(approver) = sealed.roster.approver(id) else {
        return Ok(id.to_string());
    };
    let name = payloads::erasable(conn, approver.name_commitment).await?;
    Ok(name.map_or_else(|| id.to_string(), |name| name.text))
}

/// `DELETE /v1/sessions`.
pub(super) async fn close(
    session: auth::Session,
    State(backend): State<Arc<Backend>>,
) -> Result<StatusCode, Refusal> {
    let mut tx = backend.change().await?;
    if tx.close_session(&session.token).await? {
        let body = json!({"approver": session.approver});
        tx.note(
            backend.clock.now(),
            EntryKind::SessionClosed,
            &About::nothing(),
            body,
        )
        .await?;
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
