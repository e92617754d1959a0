//! What comes in and what goes out: JSON with places in its errors, and documents as exact bytes.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_core::identifier::Digest;
use countersign_wire::problem::Place;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::limits;
use crate::problem::{Refusal, codes};

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        require_type(request.headers(), &["application/json"])?;
        let bytes = read(request).await?;
        parse(&bytes).map(Self)
    }
}

/// A document's own bytes, of one of the types that documents have.
#[derive(Debug)]
pub struct Document(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        require_type(
            request.headers(),
            &[
                "application/yaml",
                "application/x-yaml",
                "text/yaml",
                "application/json",
            ],
        )?;
        read(request).await.map(Self)
    }
}

/// How large the body of a route may be; a layer of the router.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// Reads the whole body. One that is too large is read to its end, within reason, so that its sender
/// hears why it was refused instead of losing the connection.
async fn read(request: Request) -> Result<Bytes, Refusal> {
    let limit = request
        .extensions()
        .get::<BodyLimit>()
        .map_or(limits::BODY_BYTES_MAX, |limit| limit.0);
    let mut kept = Vec::new();
    let mut seen = 0_usize;
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|_| codes::BODY_UNREADABLE.because("the body broke off; send it again"))?;
        seen = seen.saturating_add(chunk.len());
        if seen <= limit {
            kept.extend_from_slice(&chunk);
        } else if seen > limit.saturating_add(limits::DRAIN_BYTES_MAX) {
            break;
        }
    }
    if seen > limit {
        return Err(codes::BODY_TOO_LARGE.because(format!(
            "the body is larger than the {limit} bytes that this route takes; send less"
        )));
    }
    Ok(Bytes::from(kept))
}

fn require_type(headers: &HeaderMap, types: &[&str]) -> Result<(), Refusal> {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    match given {
        Some(given) if types.contains(&given.as_str()) => Ok(()),
        Some(_) | None => Err(codes::MEDIA_TYPE.because(format!(
            "send it with `Content-Type: {}`",
            types.first().copied().unwrap_or_default()
        ))),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (code, mend) = match error.classify() {
            Category::Syntax | Category::Eof | Category::Io => {
                (codes::JSON_MALFORMED, "write valid JSON (RFC 8259)")
            }
            Category::Data => (
                codes::JSON_INVALID,
                "give the members that this route asks for, and no others",
            ),
        };
        let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
        let column = u64::try_from(error.column()).unwrap_or(u64::MAX);
        code.because(error.to_string()).at(vec![Place {
            level: "error".to_owned(),
            code: code.name.replace('_', "-"),
            line,
            column,
            message: error.to_string(),
            mend: mend.to_owned(),
        }])
    })
}

/// A parameter of the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| codes::NOT_FOUND.because(rejection.body_text()))
    }
}

/// The query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| codes::PARAMETER_INVALID.because(rejection.body_text()))
    }
}

/// Exact bytes that never change, under their digest.
#[must_use]
pub fn document(headers: &HeaderMap, digest: Digest, bytes: Vec<u8>) -> Response {
    let tag = format!("\"{digest}\"");
    let fresh = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| {
            known
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == tag)
        });
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            bytes,
        )
            .into_response()
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// Checks the length of a text that somebody sent.
///
/// # Errors
/// `text_too_long`.
pub fn check_text(what: &str, text: &str) -> Result<(), Refusal> {
    let limit = limits::TEXT_CHARS_MAX;
    if text.chars().count() > limit {
        return Err(codes::TEXT_TOO_LONG.because(format!(
            "the {what} has more than {limit} characters; shorten it"
        )));
    }
    Ok(())
}
