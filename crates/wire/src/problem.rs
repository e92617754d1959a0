//! Errors: `application/problem+json` (RFC 9457) with a stable code.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What went wrong. Programs branch on `code`, never on text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{title}: {detail}")]
#[ts(export)]
pub struct Problem {
    /// `urn:countersign:problem:` and the code.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// Stable code, snake_case, such as `nonce_used`.
    pub code: String,
    /// HTTP status; 0 where the problem arose on this side of the network.
    pub status: u16,
    /// The problem in a few words.
    pub title: String,
    /// What happened and what to do.
    pub detail: String,
    /// Where in a document, and how to mend it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Place {
    /// `error` or `warning`.
    pub level: String,
    /// Stable code.
    pub code: String,
    /// 1-based line.
    pub line: u64,
    /// 1-based column.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub mend: String,
}

impl Problem {
    /// A problem with a code.
    #[must_use]
    pub fn new(
        code: &str,
        status: u16,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            problem_type: format!("urn:countersign:problem:{code}"),
            code: code.to_owned(),
            status,
            title: title.into(),
            detail: detail.into(),
            places: Vec::new(),
        }
    }
}
