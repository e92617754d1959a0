//! What is wrong with a document: where, what, and how to mend it.

use serde::Serialize;
use thiserror::Error;

/// Whether a diagnostic refuses the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth a look; the document counts.
    Warning,
    /// The document does not count.
    Error,
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it refuses the document.
    pub level: Level,
    /// Stable code, such as `duplicate-id`.
    pub code: String,
    /// 1-based line.
    pub line: u64,
    /// 1-based column, in characters.
    pub column: u64,
    /// What is wrong, in lower case without a full stop.
    pub message: String,
    /// What to do.
    pub mend: String,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "line {}, column {}: {}; {}",
            self.line, self.column, self.message, self.mend
        )
    }
}

/// A document that does not count, and everything that is wrong with it (at least one error).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
pub struct DocumentError {
    /// What the document should have been, such as `envelope`.
    pub document: String,
    /// Everything found, errors and warnings, in the order of the document.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Display for DocumentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} is not valid", self.document)?;
        for diagnostic in self
            .diagnostics
            .iter()
            .filter(|d| d.level == Level::Error)
            .take(20)
        {
            write!(f, "\n{diagnostic}")?;
        }
        Ok(())
    }
}

/// A document that counts, and what is worth a look in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T> {
    /// The document.
    pub document: T,
    /// Warnings, in the order of the document.
    pub warnings: Vec<Diagnostic>,
}
