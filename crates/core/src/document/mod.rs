//! Documents as people and agents write them: read, checked, brought to one form.
//!
//! YAML for envelope and topology, JSON for proposal and history. Every error says where it is and
//! how to mend it; all of them are reported, not only the first. What is returned is normalised:
//! list order, spelling of spans, decimals and addresses, and empty parts do not change its digest.

mod envelope;
mod exceptions;
mod health_check;
mod history;
mod json;
pub mod limits;
mod lint;
mod proposal;
mod read;
mod read_error;
mod text;
mod topology;
mod tree;
mod yaml;

use serde::de::DeserializeOwned;

use crate::diagnostic::{Checked, DocumentError};
use crate::document::limits::Limits;
pub use crate::document::lint::Surroundings;
use crate::document::tree::{Found, Node, Place};
use crate::envelope::Envelope;
use crate::history::History;
use crate::proposal::Proposal;
use crate::topology::Topology;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Remediation Authority Envelope, YAML.
    Envelope,
    /// A topology, YAML.
    Topology,
    /// A proposal, JSON.
    Proposal,
    /// A history, JSON.
    History,
}

impl Kind {
    /// The kind as messages and commands write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Topology => "topology",
            Self::Proposal => "proposal",
            Self::History => "history",
        }
    }

    /// What its reader accepts.
    #[must_use]
    pub const fn limits(self) -> Limits {
        match self {
            Self::Envelope => limits::ENVELOPE,
            Self::Topology => limits::TOPOLOGY,
            Self::Proposal => limits::PROPOSAL,
            Self::History => limits::HISTORY,
        }
    }
}

/// Reads an envelope from YAML.
///
/// # Errors
/// [`DocumentError`] lists everything that is wrong with it.
pub fn envelope(text: impl AsRef<[u8]>) -> Result<Checked<Envelope>, DocumentError> {
    envelope_within(text, Surroundings::default())
}

/// As [`envelope`], and warns of what does not fit its surroundings: names that the topology lacks,
/// a window that is over.
///
/// # Errors
/// As [`envelope`].
pub fn envelope_within(
    text: impl AsRef<[u8]>,
    surroundings: Surroundings<'_>,
) -> Result<Checked<Envelope>, DocumentError> {
    document(
        Kind::Envelope,
        text.as_ref(),
        envelope::check_parts,
        |envelope, root, found| {
            envelope::check(envelope, root, found);
            if !found.refuses() {
                lint::surroundings(envelope, surroundings, root, found);
            }
        },
    )
}

/// Reads a topology from YAML.
///
/// # Errors
/// [`DocumentError`] lists everything that is wrong with it.
pub fn topology(text: impl AsRef<[u8]>) -> Result<Checked<Topology>, DocumentError> {
    document(
        Kind::Topology,
        text.as_ref(),
        topology::check_parts,
        topology::check,
    )
}

/// Reads a proposal from JSON.
///
/// # Errors
/// [`DocumentError`] lists everything that is wrong with it.
pub fn proposal(text: impl AsRef<[u8]>) -> Result<Checked<Proposal>, DocumentError> {
    document(
        Kind::Proposal,
        text.as_ref(),
        proposal::check_parts,
        proposal::check,
    )
}

/// Reads a history from JSON.
///
/// # Errors
/// [`DocumentError`] lists everything that is wrong with it.
pub fn history(text: impl AsRef<[u8]>) -> Result<Checked<History>, DocumentError> {
    document(
        Kind::History,
        text.as_ref(),
        history::check_parts,
        history::check,
    )
}

/// The JSON Schema (2020-12) of a kind of document. It knows the form; references between parts,
/// limits and lints only the reader knows.
#[must_use]
pub fn schema(kind: Kind) -> schemars::Schema {
    match kind {
        Kind::Envelope => schemars::schema_for!(Envelope),
        Kind::Topology => schemars::schema_for!(Topology),
        Kind::Proposal => schemars::schema_for!(Proposal),
        Kind::History => schemars::schema_for!(History),
    }
}

/// One document from its bytes to its checked, normalised value. `check_parts` looks for further
/// errors of form where the whole could not be read; `check` checks what it means and normalises.
fn document<T: DeserializeOwned>(
    kind: Kind,
    bytes: &[u8],
    check_parts: fn(&Node<'_>, &mut Found),
    check: impl FnOnce(&mut T, &Node<'_>, &mut Found),
) -> Result<Checked<T>, DocumentError> {
    let mut found = Found::default();
    let mut document = None;
    if let Some(root) = tree(kind, bytes, &mut found) {
        match T::deserialize(&root) {
            Ok(mut read) => {
                check(&mut read, &root, &mut found);
                document = Some(read);
            }
            Err(error) => {
                check_parts(&root, &mut found);
                if !(error.sums_up() && found.refuses()) {
                    error.report(&mut found);
                }
            }
        }
    }
    let refused = found.refuses();
    match document {
        Some(document) if !refused => Ok(Checked {
            document,
            warnings: found.into_diagnostics(),
        }),
        Some(_) | None => Err(DocumentError {
            document: kind.as_str().to_owned(),
            diagnostics: found.into_diagnostics(),
        }),
    }
}

/// The tree of `bytes`, where they have one.
fn tree<'t>(kind: Kind, bytes: &'t [u8], found: &mut Found) -> Option<Node<'t>> {
    let limits = kind.limits();
    if bytes.len() > limits.bytes_max {
        found.error(
            Place::START,
            "too-large",
            format!(
                "more than {} bytes; that is the limit for this kind of document ({})",
                limits.bytes_max,
                kind.as_str()
            ),
            "make the document smaller",
        );
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            found.error(
                text::end_of(valid),
                "not-utf-8",
                "this byte is not part of a text in UTF-8",
                "save the document as UTF-8; it may not be a text at all",
            );
            return None;
        }
    };
    match kind {
        Kind::Envelope | Kind::Topology => yaml::read(text, &limits, found),
        Kind::Proposal | Kind::History => json::read(text, &limits, found),
    }
}
