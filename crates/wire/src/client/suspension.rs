//! A suspension with the documents that a decision to resume it names, read on this side: what is shown
//! of it is what is signed.

use countersign_core::decision::SuspensionSubjects;
use countersign_core::identifier::Digest;
use countersign_core::log::Entry;
use countersign_core::log::body::AutonomySuspended;
use countersign_core::suspension::{Suspended, Suspension as Document};

use super::decide::DecideError;
use super::trust::Trusted;
use crate::suspension::Suspension;

/// The documents of one suspension that fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedSuspension {
    suspended: Suspended,
    subjects: SuspensionSubjects,
    digest: Digest,
}

impl ReviewedSuspension {
    /// Reads the documents of `suspension`.
    ///
    /// # Errors
    /// [`DecideError::Suspension`] where they contradict each other or what the backend shows.
    pub fn of(trusted: &Trusted, suspension: &Suspension) -> Result<Self, DecideError> {
        let document = Document::from_bytes(&suspension.document.0)
            .map_err(|_| DecideError::Suspension("its document is malformed"))?;
        let digest = Digest::of(&suspension.document.0);
        let entry = Entry::from_bytes(&suspension.entry.0)
            .map_err(|_| DecideError::Suspension("its log entry is malformed"))?;
        let body: AutonomySuspended = entry
            .body()
            .map_err(|_| DecideError::Suspension("its log entry records something else"))?;
        let wrong = [
            (
                document.audience != *trusted.roster().deployment(),
                "it is of another deployment",
            ),
            (
                suspension.digest != digest || body.suspension != digest,
                "it is another suspension",
            ),
            (
                suspension.suspends != document.suspends || body.suspends != document.suspends,
                "it suspends something else",
            ),
            (
                suspension.by != document.asked_by
                    || body.approver != document.asked_by
                    || suspension.since != entry.at,
                "it names another person or time",
            ),
        ];
        if let Some((_, what)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(DecideError::Suspension(what));
        }
        Ok(Self {
            suspended: Suspended {
                suspends: document.suspends,
                by: document.asked_by,
                since: entry.at,
            },
            subjects: SuspensionSubjects::Resume {
                suspension: digest,
                entry: Digest::of(&suspension.entry.0),
            },
            digest,
        })
    }

    /// What is suspended, by whom, since when.
    #[must_use]
    pub const fn suspended(&self) -> &Suspended {
        &self.suspended
    }

    /// What a decision to resume it names.
    #[must_use]
    pub const fn subjects(&self) -> &SuspensionSubjects {
        &self.subjects
    }

    /// The digest of its document: its name.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}
