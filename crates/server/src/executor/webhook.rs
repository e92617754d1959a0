//! Executor `webhook`: signed requests to a receiver over HTTPS.
//!
//! Each request is signed with Ed25519 as HTTP Message Signatures say (RFC 9421) over method, address,
//! content digest (RFC 9530), idempotency key, operation and fencing token, with the time it was made.
//! 200 carries the answer; 202 with a `Location` says that it is being worked on, and that place is asked
//! until the time of the call is over. What only looks is asked again where an answer is lost; `apply`
//! and `revert` only where the receiver promises to do once what bears one `Idempotency-Key`.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_core::span::Span;
use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, redirect};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::call::{Answer, Asked, ExecutorError, Input, Output};
use crate::child::line;
use crate::config::WebhookConfig;
use crate::limits::EXECUTOR_BYTES_MAX;

/// After how long a request is made again whose answer was lost.
const AGAIN_AFTER: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];
/// How often long work is asked for where the receiver says nothing of it.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Longest that a receiver may make us wait between two looks.
const POLL_EVERY_MAX: Duration = Duration::from_secs(60);
/// How long a signature counts, seconds: receivers refuse older ones.
pub const SIGNATURE_SECONDS: i64 = 60;
/// What each signature covers, in this order.
pub const COVERED: [&str; 6] = [
    "@method",
    "@target-uri",
    "content-digest",
    "idempotency-key",
    "countersign-operation",
    "countersign-fencing-token",
];

/// A receiver.
#[derive(Debug)]
pub struct Remote {
    client: reqwest::Client,
    url: Url,
    key: SigningKey,
    key_id: String,
    idempotent: bool,
    timeout: Span,
}

/// How one request went.
enum Went {
    /// There is an answer.
    Answered(Box<Response>),
    /// It was never sent.
    NotSent(String),
    /// It may have been received.
    Lost(String),
}

impl Remote {
    /// The receiver of a configuration.
    ///
    /// # Errors
    /// Where its key or authorities cannot be read; what, and the mend.
    pub fn new(config: &WebhookConfig, timeout: Span) -> Result<Self, String> {
        // Another part of this process may have chosen it already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            // A connection of before may be gone when the next request is sent on it.
            .pool_max_idle_per_host(0)
            .https_only(!config.development);
        if let Some(path) = &config.authorities {
            let pem = std::fs::read(path)
                .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| format!("`{}` holds no certificates: {error}", path.display()))?;
            builder = builder.tls_certs_only(certificates);
        }
        if !config
            .key_id
            .chars()
            .all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
        {
            return Err("`key_id` holds other than visible ASCII; rename the key".to_owned());
        }
        Ok(Self {
            client: builder
                .build()
                .map_err(|error| format!("no HTTP client: {error}"))?,
            url: Url::parse(&config.url).map_err(|error| format!("`url`: {error}"))?,
            key: read_key(&config.key)?,
            key_id: config.key_id.clone(),
            idempotent: config.idempotent,
            timeout,
        })
    }

    /// Asks it.
    pub(super) async fn run(&self, input: &Input<'_>) -> Result<Answer, ExecutorError> {
        let until = Instant::now() + Duration::from_secs(u64::from(self.timeout.seconds()));
        let body = input.to_line()?;
        let names = Names::of(input);
        let repeatable = self.idempotent || input.verb.only_looks();
        let mut waits = AGAIN_AFTER.iter();
        let mut received = Received::Never;
        loop {
            let went = self
                .request(Method::POST, self.url.clone(), &body, &names, until)
                .await?;
            let reason = match went {
                // What stands before the receiver answered, not the receiver.
                Went::Answered(response) if is_passing(response.status()) => {
                    received = Received::Perhaps;
                    format!("the receiver answered {}", response.status())
                }
                Went::Answered(response) => {
                    return self.follow(*response, &names, until, input.verb).await;
                }
                Went::NotSent(reason) => reason,
                Went::Lost(reason) => {
                    received = Received::Perhaps;
                    reason
                }
            };
            let again = match received {
                Received::Never => true,
                Received::Perhaps => repeatable,
            };
            match waits.next() {
                Some(wait) if again && Instant::now() + *wait < until => {
                    tracing::info!(reason, "a webhook is asked again");
                    tokio::time::sleep(*wait).await;
                }
                Some(_) | None => {
                    return Err(match received {
                        Received::Never => ExecutorError::Failed(reason),
                        Received::Perhaps => lost(input.verb, reason),
                    });
                }
            }
        }
    }

    /// Follows the first answer to the last one.
    async fn follow(
        &self,
        first: Response,
        names: &Names,
        until: Instant,
        verb: Asked,
    ) -> Result<Answer, ExecutorError> {
        let mut response = first;
        let mut place: Option<Url> = None;
        loop {
            if response.status() != StatusCode::ACCEPTED {
                return answer(response).await.map_err(|broken| match broken {
                    Broken::Said(reason) => ExecutorError::Failed(reason),
                    Broken::Off(reason) => lost(verb, reason),
                });
            }
            if let Some(location) = response.headers().get(LOCATION) {
                place = Some(self.place(location).map_err(|reason| lost(verb, reason))?);
            }
            let Some(at) = &place else {
                return Err(lost(
                    verb,
                    "the receiver works on it and names no `Location` to ask".to_owned(),
                ));
            };
            let mut wait = retry_after(response.headers());
            response = loop {
                if Instant::now() + wait >= until {
                    return Err(lost(
                        verb,
                        format!(
                            "the receiver was still working on it after {}",
                            self.timeout
                        ),
                    ));
                }
                tokio::time::sleep(wait).await;
                // Asking how it stands can be repeated at will.
                match self
                    .request(Method::GET, at.clone(), b"", names, until)
                    .await?
                {
                    Went::Answered(response) if !is_passing(response.status()) => break *response,
                    Went::Answered(_) | Went::NotSent(_) | Went::Lost(_) => wait = POLL_EVERY,
                }
            };
        }
    }

    /// Where to ask, which is the receiver's own: nobody else is shown what is signed.
    fn place(&self, location: &HeaderValue) -> Result<Url, String> {
        location
            .to_str()
            .ok()
            .and_then(|text| self.url.join(text).ok())
            .filter(|url| url.origin() == self.url.origin())
            .ok_or_else(|| "the receiver's `Location` is none of its own".to_owned())
    }

    async fn request(
        &self,
        method: Method,
        url: Url,
        body: &[u8],
        names: &Names,
        until: Instant,
    ) -> Result<Went, ExecutorError> {
        let left = until.saturating_duration_since(Instant::now());
        let headers = self
            .headers(&method, &url, body, names, chrono::Utc::now().timestamp())
            .ok_or_else(|| ExecutorError::Failed("a name cannot stand in a header".to_owned()))?;
        let sent = self
            .client
            .request(method, url)
            .headers(headers)
            .body(body.to_vec())
            .timeout(left.max(Duration::from_millis(1)))
            .send()
            .await;
        Ok(match sent {
            Ok(response) => Went::Answered(Box::new(response)),
            Err(error) if error.is_connect() => {
                Went::NotSent(format!("no connection to the receiver: {}", root(&error)))
            }
            Err(error) if error.is_timeout() => Went::Lost(format!(
                "the receiver did not answer within {}",
                self.timeout
            )),
            Err(error) => Went::Lost(format!("the receiver's answer was lost: {}", root(&error))),
        })
    }

    /// The headers of a request made at `created`, seconds since 1970, its signature among them.
    fn headers(
        &self,
        method: &Method,
        url: &Url,
        body: &[u8],
        names: &Names,
        created: i64,
    ) -> Option<HeaderMap> {
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)));
        let expires = created.saturating_add(SIGNATURE_SECONDS);
        let covered = COVERED.map(|name| format!("\"{name}\"")).join(" ");
        let parameters = format!(
            "({covered});created={created};expires={expires};keyid=\"{}\";alg=\"ed25519\"",
            self.key_id
        );
        let values = [
            method.as_str(),
            url.as_str(),
            &digest,
            &names.idempotency_key,
            &names.operation,
            &names.fencing_token,
        ];
        let mut base = String::new();
        for (name, value) in COVERED.iter().zip(values) {
            base.push_str(&format!("\"{name}\": {value}\n"));
        }
        base.push_str(&format!("\"@signature-params\": {parameters}"));
        let signature = STANDARD.encode(self.key.sign(base.as_bytes()).to_bytes());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            ("content-digest", digest),
            ("idempotency-key", names.idempotency_key.clone()),
            ("countersign-operation", names.operation.clone()),
            ("countersign-fencing-token", names.fencing_token.clone()),
            ("signature-input", format!("countersign={parameters}")),
            ("signature", format!("countersign=:{signature}:")),
        ] {
            headers.insert(name, HeaderValue::from_str(&value).ok()?);
        }
        Some(headers)
    }
}

/// Whether the receiver may have got one of our requests.
#[derive(Clone, Copy)]
enum Received {
    Never,
    Perhaps,
}

/// What only looks has failed where its answer is lost; of the rest nobody knows whether it was done.
fn lost(verb: Asked, reason: String) -> ExecutorError {
    if verb.only_looks() {
        ExecutorError::Failed(reason)
    } else {
        ExecutorError::Unknown(reason)
    }
}

/// What a request is known by.
struct Names {
    idempotency_key: String,
    operation: String,
    fencing_token: String,
}

impl Names {
    /// (operation, sequence) names a call for good; a plan names its item.
    fn of(input: &Input<'_>) -> Self {
        let operation = match (input.operation, input.item) {
            (Some(operation), _) => operation.as_str(),
            (None, Some(item)) => item.as_str(),
            (None, None) => "",
        };
        let sequence = input.sequence.unwrap_or(0);
        // Hexadecimal, since a name may be of letters that headers do not carry.
        let operation = hex::encode(operation);
        Self {
            idempotency_key: format!("\"{operation}-{sequence}-{}\"", input.verb.as_str()),
            operation,
            fencing_token: sequence.to_string(),
        }
    }
}

/// Whether a status says nothing of what the receiver did.
fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    )
}

fn retry_after(headers: &HeaderMap) -> Duration {
    headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .map_or(POLL_EVERY, Duration::from_secs)
        .clamp(Duration::from_millis(100), POLL_EVERY_MAX)
}

/// Why a last answer is none.
enum Broken {
    /// It says so.
    Said(String),
    /// It broke off.
    Off(String),
}

async fn answer(mut response: Response) -> Result<Answer, Broken> {
    let status = response.status();
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => {
                return Err(Broken::Off(format!(
                    "the receiver's answer broke off: {}",
                    root(&error)
                )));
            }
        }
        if bytes.len() > EXECUTOR_BYTES_MAX {
            return Err(Broken::Off(format!(
                "the receiver answered more than {EXECUTOR_BYTES_MAX} bytes"
            )));
        }
    }
    let output: Option<Output> = serde_json::from_slice(&bytes).ok();
    let nothing = || Broken::Said(format!("the receiver answered {status} and no message"));
    match output {
        Some(output) if status == StatusCode::OK => match output.into_answer() {
            Ok(answer) => Ok(answer),
            Err(Some(message)) => Err(Broken::Said(message)),
            Err(None) => Err(nothing()),
        },
        Some(Output {
            message: Some(message),
            ..
        }) => Err(Broken::Said(format!(
            "the receiver answered {status}: {}",
            line(&message)
        ))),
        // What failed inside of it may have been done before.
        Some(_) | None if status.is_server_error() => {
            Err(Broken::Off(format!("the receiver failed with {status}")))
        }
        Some(_) | None => Err(nothing()),
    }
}

/// The innermost reason, which is the one that says something.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    line(&innermost.to_string())
}

fn read_key(path: &Path) -> Result<SigningKey, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the key `{}` cannot be read: {error}", path.display()))?;
    let mut seed = [0_u8; 32];
    hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| {
        format!(
            "the key `{}` is not 64 hexadecimal digits; make one with `openssl rand -hex 32`",
            path.display()
        )
    })?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
