//! Requests and bounded answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use countersign_core::identifier::Digest;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ClientError, address};
use crate::problem::Problem;

/// The longest JSON answer, bytes.
const ANSWER_BYTES_MAX: u64 = 32 << 20;
/// The longest document (a topology of a hundred thousand systems), bytes.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;
/// The longest problem, bytes.
const PROBLEM_BYTES_MAX: u64 = 1 << 20;
/// Documents that are kept to be read again.
const DOCUMENTS_MAX: usize = 4;
/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for a whole answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// One backend, as seen by one party. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
    bearer: Option<HeaderValue>,
    documents: Arc<Mutex<Documents>>,
}

/// Documents fetched lately. A digest names one document for ever, whoever asks.
#[derive(Default)]
struct Documents(VecDeque<(Digest, Vec<u8>)>);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the backend at `base_url`, without a token.
    ///
    /// # Errors
    /// [`ClientError::Address`] for anything but HTTPS, or plain HTTP to this machine.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        // The one provider of the process. An `Err` says that there already is one.
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let base = address::parse(base_url)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT);
        if address::is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| unreachable(&error))?;
        Ok(Self {
            base,
            http,
            bearer: None,
            documents: Arc::default(),
        })
    }

    /// The same backend with a bearer token: an operator's, an agent's, a source's or a session's.
    ///
    /// # Errors
    /// [`ClientError::Token`] for a token that no header can hold.
    pub fn with_bearer(&self, token: &str) -> Result<Self, ClientError> {
        let mut header =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
        header.set_sensitive(true);
        Ok(Self {
            bearer: Some(header),
            ..self.clone()
        })
    }

    /// The same backend without a token.
    #[must_use]
    pub fn without_bearer(&self) -> Self {
        Self {
            bearer: None,
            ..self.clone()
        }
    }

    /// The backend's address; it ends in `/`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.base.as_str()
    }

    /// A document fetched lately.
    pub(super) fn known(&self, digest: &Digest) -> Option<Vec<u8>> {
        let documents = self
            .documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        documents
            .0
            .iter()
            .find(|(known, _)| known == digest)
            .map(|(_, bytes)| bytes.clone())
    }

    /// Remembers a document that was checked against its digest.
    pub(super) fn remember(&self, digest: Digest, bytes: &[u8]) {
        let mut documents = self
            .documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        documents.0.retain(|(known, _)| *known != digest);
        documents.0.push_back((digest, bytes.to_vec()));
        if documents.0.len() > DOCUMENTS_MAX {
            documents.0.pop_front();
        }
    }

    /// A request for the path of these segments, which are escaped.
    pub(super) fn request(
        &self,
        method: Method,
        segments: &[&str],
    ) -> Result<Request, ClientError> {
        let refuse = || ClientError::Address {
            address: segments.join("/"),
            reason: "`.` and `..` name nothing".to_owned(),
        };
        let mut url = self.base.clone();
        if segments
            .iter()
            .any(|segment| matches!(*segment, "." | ".." | ""))
        {
            return Err(refuse());
        }
        url.path_segments_mut()
            .map_err(|()| refuse())?
            .pop_if_empty()
            .extend(segments);
        let route = format!("{method} {}", url.path());
        let mut builder = self.http.request(method, url);
        if let Some(bearer) = &self.bearer {
            builder = builder.header(AUTHORIZATION, bearer.clone());
        }
        Ok(Request { builder, route })
    }

    pub(super) fn get(&self, segments: &[&str]) -> Result<Request, ClientError> {
        self.request(Method::GET, segments)
    }

    pub(super) fn post(&self, segments: &[&str]) -> Result<Request, ClientError> {
        self.request(Method::POST, segments)
    }
}

/// A request that is being put together.
pub(super) struct Request {
    builder: RequestBuilder,
    route: String,
}

impl Request {
    pub(super) fn query<T: Serialize + ?Sized>(mut self, query: &T) -> Self {
        self.builder = self.builder.query(query);
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(super) fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    pub(super) fn body(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.builder = self.builder.header(CONTENT_TYPE, content_type).body(body);
        self
    }

    /// Sends, and reads the answer as JSON.
    pub(super) async fn answer<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let route = self.route.clone();
        let bytes = self.read("application/json", ANSWER_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Malformed {
            route,
            reason: error.to_string(),
        })
    }

    /// Sends, and passes over what a success answers.
    pub(super) async fn done(self) -> Result<(), ClientError> {
        self.read("application/json", ANSWER_BYTES_MAX)
            .await
            .map(drop)
    }

    /// Sends, and gives the answer's exact bytes.
    pub(super) async fn bytes(self) -> Result<Vec<u8>, ClientError> {
        self.read("*/*", DOCUMENT_BYTES_MAX).await
    }

    /// Sends, and gives an answer that goes on until one side ends it.
    pub(super) async fn stream(mut self, accept: &'static str) -> Result<Response, ClientError> {
        self.builder = self.builder.header(ACCEPT, accept);
        let response = self
            .builder
            .send()
            .await
            .map_err(|error| unreachable(&error))?;
        refused(response).await
    }

    async fn read(
        mut self,
        accept: &'static str,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, ClientError> {
        self.builder = self.builder.timeout(ANSWER_LIMIT).header(ACCEPT, accept);
        let response = self
            .builder
            .send()
            .await
            .map_err(|error| unreachable(&error))?;
        read(refused(response).await?, limit_bytes).await
    }
}

/// The answer, unless it is a refusal.
async fn refused(response: Response) -> Result<Response, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = read(response, PROBLEM_BYTES_MAX).await.unwrap_or_default();
    let mut problem =
        serde_json::from_slice::<Problem>(&bytes).unwrap_or_else(|_| unexplained(status));
    problem.status = status.as_u16();
    Err(problem.into())
}

/// What a refusal without a problem means: something between here and the backend sent it.
fn unexplained(status: StatusCode) -> Problem {
    Problem::new(
        "unexplained_status",
        status.as_u16(),
        "an answer that is not a backend's",
        format!(
            "the address answered `{status}` without saying why; check that it is the backend's"
        ),
    )
}

async fn read(mut response: Response, limit_bytes: u64) -> Result<Vec<u8>, ClientError> {
    let too_long = || ClientError::TooLong { limit_bytes };
    if response
        .content_length()
        .is_some_and(|length| length > limit_bytes)
    {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| unreachable(&error))?
    {
        if bytes.len().saturating_add(chunk.len()) as u64 > limit_bytes {
            return Err(too_long());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The innermost cause: reqwest's own words name the address and little else.
pub(super) fn unreachable(error: &reqwest::Error) -> ClientError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let reason = if error.is_timeout() {
        "it took too long".to_owned()
    } else {
        cause.to_string()
    };
    ClientError::Unreachable { reason }
}
