//! Errors at the edge: `application/problem+json` with a stable code (RFC 9457).
//!
//! The codes are a contract: programs branch on them, never on text. Each is declared once, in
//! [`codes`].

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::diagnostic::{Diagnostic, DocumentError, Level};
use countersign_wire::problem::{Place, Problem};

use crate::store::StoreError;

/// A code, its HTTP status and its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable, snake_case.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The problem in a few words.
    pub title: &'static str,
}

impl Code {
    const fn new(name: &'static str, status: u16, title: &'static str) -> Self {
        Self {
            name,
            status,
            title,
        }
    }

    /// The refusal with this code and `detail`: what happened and what to do.
    #[must_use]
    pub fn because(self, detail: impl Into<String>) -> Refusal {
        Refusal(Box::new(Problem::new(
            self.name,
            self.status,
            self.title,
            detail,
        )))
    }
}

/// A request that is answered with a problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Refusal(pub Box<Problem>);

impl Refusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// With places in a document.
    #[must_use]
    pub fn at(mut self, places: Vec<Place>) -> Self {
        self.0.places = places;
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&*self.0)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
            .extensions_mut()
            .insert(RefusalCode(self.0.code.clone()));
        response
    }
}

/// The code of a refused request, for the aggregate of unauthenticated refusals and for metrics.
#[derive(Debug, Clone)]
pub struct RefusalCode(pub String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stopped => codes::WRITER_STOPPED.because(
                "a write to the database failed, so nothing more is written; look at the backend's log, mend the disk and restart it",
            ),
            StoreError::Superseded => codes::WRITER_STOPPED.because(
                "another backend has taken this store, so this one writes nothing more; stop it, and ask the other",
            ),
            StoreError::Database(_)
            | StoreError::Migration(_)
            | StoreError::Damaged(_)
            | StoreError::Entry(_)
            | StoreError::Tree(_)
            | StoreError::Canonical(_) => {
                tracing::error!(%error, "the store failed");
                codes::INTERNAL.because("the backend failed; its log says why, and nothing was changed")
            }
        }
    }
}

impl From<DocumentError> for Refusal {
    fn from(error: DocumentError) -> Self {
        codes::DOCUMENT_INVALID
            .because(error.to_string())
            .at(places(&error.diagnostics))
    }
}

/// Diagnostics as they travel.
#[must_use]
pub fn places(diagnostics: &[Diagnostic]) -> Vec<Place> {
    diagnostics
        .iter()
        .take(100)
        .map(|diagnostic| Place {
            level: match diagnostic.level {
                Level::Error => "error",
                Level::Warning => "warning",
            }
            .to_owned(),
            code: diagnostic.code.clone(),
            line: diagnostic.line,
            column: diagnostic.column,
            message: diagnostic.message.clone(),
            mend: diagnostic.mend.clone(),
        })
        .collect()
}

/// The codes.
pub mod codes {
    #![expect(missing_docs, reason = "name and title say it")]
    use super::Code;

    // Requests.
    pub const NOT_FOUND: Code = Code::new("not_found", 404, "there is no such thing");
    pub const METHOD_NOT_ALLOWED: Code =
        Code::new("method_not_allowed", 405, "the method is not allowed here");
    pub const BODY_TOO_LARGE: Code = Code::new("body_too_large", 413, "the body is too large");
    pub const MEDIA_TYPE: Code =
        Code::new("unsupported_media_type", 415, "the body is of another type");
    pub const JSON_MALFORMED: Code = Code::new("json_malformed", 400, "the body is not JSON");
    pub const JSON_INVALID: Code =
        Code::new("json_invalid", 422, "the body is not what is asked for");
    pub const BODY_UNREADABLE: Code = Code::new("body_unreadable", 400, "the body cannot be read");
    pub const PARAMETER_INVALID: Code =
        Code::new("parameter_invalid", 400, "a parameter is not valid");
    pub const DOCUMENT_INVALID: Code =
        Code::new("document_invalid", 422, "the document is not valid");
    pub const TOO_MANY_REQUESTS: Code = Code::new("too_many_requests", 429, "too many requests");
    pub const INTERNAL: Code = Code::new("internal", 500, "the backend failed");
    pub const WRITER_STOPPED: Code =
        Code::new("writer_stopped", 503, "the backend writes nothing any more");
    pub const NOT_READY: Code = Code::new("not_ready", 503, "the backend is not ready");

    // Who asks.
    pub const UNAUTHENTICATED: Code = Code::new("unauthenticated", 401, "sign in first");
    pub const SESSION_EXPIRED: Code = Code::new("session_expired", 401, "the session is over");
    pub const FORBIDDEN: Code = Code::new("forbidden", 403, "this credential may not do that");

    // Genesis.
    pub const GENESIS_SEALED: Code = Code::new("genesis_sealed", 409, "the genesis is sealed");
    pub const NO_GENESIS: Code = Code::new("no_genesis", 409, "there is no genesis yet");
    pub const GENESIS_NOT_BEGUN: Code =
        Code::new("genesis_not_begun", 409, "the genesis is not begun");
    pub const GENESIS_INVALID: Code = Code::new("genesis_invalid", 422, "the genesis is not valid");
    pub const ATTESTATION_INVALID: Code = Code::new(
        "attestation_invalid",
        422,
        "the attestation list is not valid",
    );
    pub const DEMONSTRATION_KEY_REFUSED: Code = Code::new(
        "demonstration_key_refused",
        422,
        "demonstration keys are for demonstrations only",
    );
    pub const NOT_LOOPBACK: Code = Code::new(
        "not_loopback",
        422,
        "a demonstration listens on this machine only",
    );
    pub const REGISTRATION_UNKNOWN: Code = Code::new(
        "registration_unknown",
        404,
        "this registration was not begun",
    );
    pub const REGISTRATION_REFUSED: Code = Code::new(
        "registration_refused",
        422,
        "the key's registration is refused",
    );
    pub const REGISTRATION_UNFINISHED: Code = Code::new(
        "registration_unfinished",
        409,
        "a registration is not finished",
    );
    pub const ADMINISTRATORS_MISSING: Code = Code::new(
        "administrators_missing",
        409,
        "two administrators are needed",
    );
    pub const CREDENTIAL_TAKEN: Code = Code::new(
        "credential_taken",
        409,
        "this credential is somebody else's",
    );

    // Registers and documents.
    pub const ALREADY_REGISTERED: Code =
        Code::new("already_registered", 409, "this is registered already");
    pub const SOURCE_UNKNOWN: Code = Code::new("source_unknown", 422, "there is no such source");
    pub const AGENT_UNKNOWN: Code = Code::new("agent_unknown", 422, "there is no such agent");
    pub const DETECTION_UNKNOWN: Code =
        Code::new("detection_unknown", 422, "there is no such detection rule");
    pub const OUTCOME_RECORDED: Code =
        Code::new("outcome_recorded", 409, "the outcome is recorded already");
    pub const SIGNAL_INVALID: Code = Code::new("signal_invalid", 422, "the signal is not valid");
    pub const ERROR_BUDGET_INVALID: Code = Code::new(
        "error_budget_invalid",
        422,
        "the report of an error budget is not valid",
    );
    pub const TEXT_TOO_LONG: Code = Code::new("text_too_long", 422, "the text is too long");
    pub const TOPOLOGY_LOOSENING: Code = Code::new(
        "topology_loosening_needs_acceptance",
        409,
        "the topology loosens what holds",
    );
    pub const NO_TOPOLOGY: Code = Code::new("no_topology", 409, "there is no topology yet");
    pub const NO_ENVELOPE: Code = Code::new("no_envelope", 409, "there is no envelope in force");
    pub const ENVELOPE_VERSION: Code = Code::new(
        "envelope_version_not_higher",
        409,
        "the version is not higher",
    );
    pub const ENVELOPE_NAME: Code = Code::new(
        "envelope_name_differs",
        409,
        "the envelope has another name",
    );
    pub const DRILL_INVALID: Code = Code::new("drill_invalid", 422, "this cannot be drilled");
    pub const NO_EXECUTOR: Code =
        Code::new("no_executor", 422, "no executor carries this action out");

    pub const EVIDENCE_TOO_LARGE: Code =
        Code::new("evidence_too_large", 422, "the evidence is too large");

    // Proposals.
    pub const AGENT_MISMATCH: Code =
        Code::new("agent_mismatch", 403, "the proposal is of another agent");
    pub const IDEMPOTENCY_KEY_REUSED: Code = Code::new(
        "idempotency_key_reused",
        409,
        "the idempotency key was used for something else",
    );
    pub const TOO_MANY_OPEN_ITEMS: Code =
        Code::new("too_many_open_items", 429, "too many items wait already");
    pub const SUPERSEDES_UNKNOWN: Code = Code::new(
        "supersedes_unknown",
        422,
        "there is no such item to replace",
    );

    // Sign-in and decisions: one code a reason.
    pub const UNKNOWN_APPROVER: Code =
        Code::new("unknown_approver", 403, "nobody of this name may decide");
    pub const CREDENTIAL_NOT_ENROLLED: Code = Code::new(
        "credential_not_enrolled",
        403,
        "this key is not enrolled for this approver",
    );
    pub const NOT_CANONICAL: Code = Code::new(
        "not_canonical",
        422,
        "the statement is not in canonical form",
    );
    pub const STATEMENT_MALFORMED: Code =
        Code::new("statement_malformed", 422, "the statement is malformed");
    pub const STATEMENT_MISMATCH: Code = Code::new(
        "statement_mismatch",
        409,
        "the statement says something else than the backend's records",
    );
    pub const WRONG_AUDIENCE: Code = Code::new(
        "wrong_audience",
        403,
        "the statement is meant for another backend",
    );
    pub const ANOTHER_APPROVER: Code = Code::new(
        "another_approver",
        403,
        "the statement is of another approver than the session",
    );
    pub const NONCE_UNKNOWN: Code = Code::new("nonce_unknown", 409, "the nonce is not known here");
    pub const NONCE_USED: Code = Code::new("nonce_used", 409, "the nonce was used before");
    pub const NONCE_EXPIRED: Code = Code::new("nonce_expired", 409, "the nonce is too old");
    pub const NONCE_OF_ANOTHER: Code = Code::new(
        "nonce_of_another",
        409,
        "the nonce was given for something else",
    );
    pub const USER_NOT_VERIFIED: Code =
        Code::new("user_not_verified", 403, "the key did not verify its user");
    pub const USER_NOT_PRESENT: Code =
        Code::new("user_not_present", 403, "the key was not touched");
    pub const SIGNATURE_INVALID: Code =
        Code::new("signature_invalid", 403, "the signature does not hold");
    pub const COUNTER_NOT_ADVANCED: Code = Code::new(
        "counter_not_advanced",
        409,
        "the key's counter did not move on",
    );
    pub const CLOCK_SKEW: Code = Code::new("clock_skew", 409, "the clocks differ too much");
    pub const CHECKPOINT_UNKNOWN: Code = Code::new(
        "checkpoint_unknown",
        409,
        "the checkpoint is not one of this log",
    );
    pub const KIND_NOT_SUPPORTED: Code = Code::new(
        "kind_not_supported",
        422,
        "this kind of decision is not supported here",
    );
    pub const DECISION_EXPIRED: Code =
        Code::new("decision_expired", 409, "the decision is void by now");
    pub const ITEM_EXPIRED: Code = Code::new("item_expired", 409, "the item has expired");
    pub const ITEM_CLOSED: Code = Code::new("item_closed", 409, "the item is closed");
    pub const NOT_ELIGIBLE: Code =
        Code::new("not_eligible", 403, "this approver holds none of the roles");
    pub const OWN_PROPOSAL: Code = Code::new(
        "own_proposal",
        403,
        "nobody decides on a proposal of their own",
    );
    pub const ALREADY_DECIDED: Code =
        Code::new("already_decided", 409, "this approver has decided already");
    pub const NARROWING_NOT_SUBSET: Code = Code::new(
        "narrowing_not_subset",
        422,
        "the narrowing is not part of what was proposed",
    );
    pub const NARROWING_NOT_ALLOWED: Code = Code::new(
        "narrowing_not_allowed",
        422,
        "only an approval can be narrowed",
    );
    pub const RATIONALE_MISMATCH: Code = Code::new(
        "rationale_mismatch",
        422,
        "the rationale is not the one signed",
    );
    pub const RATIONALE_MISSING: Code =
        Code::new("rationale_missing", 422, "a rationale is needed");
    pub const ACKNOWLEDGEMENT_MISSING: Code = Code::new(
        "acknowledgement_missing",
        422,
        "a finding was not acknowledged",
    );
    pub const ACKNOWLEDGEMENT_UNKNOWN: Code = Code::new(
        "acknowledgement_unknown",
        422,
        "a finding was acknowledged that the briefing does not have",
    );
    pub const ENVELOPE_NOT_DRAFT: Code = Code::new(
        "envelope_not_draft",
        409,
        "the envelope does not wait for the board",
    );
    pub const SUSPENSION_INVALID: Code =
        Code::new("suspension_invalid", 422, "the suspension is not valid");
    pub const SUSPENSION_OF_NOTHING: Code = Code::new(
        "suspension_of_nothing",
        422,
        "there is nothing of this name to suspend",
    );
    pub const SUSPENSION_OVER: Code = Code::new("suspension_over", 409, "the suspension is over");
    pub const OPERATION_CLOSED: Code = Code::new(
        "operation_closed",
        409,
        "the operation does not take this decision now",
    );
}
