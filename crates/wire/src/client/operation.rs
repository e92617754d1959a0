//! An operation with the documents that a decision about it names, read on this side: what is shown
//! of it is what is signed.

use std::collections::BTreeSet;

use countersign_core::assessment::QuorumRule;
use countersign_core::canonical::{self, CanonicalError};
use countersign_core::decision::{OperationDocument, OperationSubjects};
use countersign_core::identifier::{Digest, OperationId, SystemId};
use countersign_core::log::Entry;
use countersign_core::log::body::OperationRecorded;
use countersign_core::operation::Trip;
use countersign_core::webauthn::Bytes;

use super::decide::DecideError;
use super::trust::Trusted;
use crate::operation::Operation;

/// The documents of one operation that fit together. Its quorum, its systems and its trip come from
/// the bytes that a decision names, never from what the backend says beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedOperation {
    document: OperationDocument,
    subjects: OperationSubjects,
    trip: Option<Trip>,
}

impl ReviewedOperation {
    /// Reads the documents of `operation`, which was asked for as `wanted`.
    ///
    /// # Errors
    /// [`DecideError::Subjects`] where they are not of this operation or contradict each other or
    /// what the backend shows.
    pub fn of(
        trusted: &Trusted,
        wanted: &OperationId,
        operation: &Operation,
    ) -> Result<Self, DecideError> {
        let given = &operation.subjects;
        let document: OperationDocument = serde_json::from_slice(&given.operation.0)
            .map_err(|_| DecideError::Subjects("the operation document is malformed"))?;
        let digest = Digest::of(&given.operation.0);
        let touched = systems(&given.touched, "the list of touched systems is malformed")?;
        let remaining = systems(
            &given.remaining,
            "the list of untouched systems is malformed",
        )?;
        let trip = given
            .trip
            .as_ref()
            .map(|bytes| read_trip(bytes, &document, digest))
            .transpose()?;
        let of_operation: BTreeSet<&SystemId> = document.waves.iter().flatten().collect();
        let listed: BTreeSet<&SystemId> = touched.iter().chain(&remaining).collect();
        let shown: BTreeSet<&SystemId> =
            operation.systems.iter().map(|system| &system.id).collect();
        let shown_trip = operation.trip.as_ref().map(|trip| (&trip.system, trip.at));
        let wrong = [
            (
                document.operation != *wanted || operation.summary.id != *wanted,
                "it is about another operation",
            ),
            (
                document.audience != *trusted.roster().deployment(),
                "it is of another deployment",
            ),
            (
                !touched.is_disjoint(&remaining),
                "a system is listed as touched and untouched",
            ),
            (
                listed != of_operation || shown != of_operation,
                "its systems are not those that were authorised",
            ),
            (
                document.briefing != given.briefing,
                "it names another briefing",
            ),
            (
                shown_trip != trip.as_ref().map(|trip| (&trip.system, trip.at)),
                "it shows a trip that is not in the log",
            ),
        ];
        if let Some((_, what)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(DecideError::Subjects(what));
        }
        Ok(Self {
            subjects: OperationSubjects {
                operation: digest,
                trip: given.trip.as_ref().map(|bytes| Digest::of(&bytes.0)),
                touched,
                remaining,
            },
            document,
            trip,
        })
    }

    /// What was authorised.
    #[must_use]
    pub const fn document(&self) -> &OperationDocument {
        &self.document
    }

    /// What a decision about it names.
    #[must_use]
    pub const fn subjects(&self) -> &OperationSubjects {
        &self.subjects
    }

    /// Who decides about it.
    #[must_use]
    pub const fn quorum(&self) -> &QuorumRule {
        &self.document.quorum
    }

    /// Why it halted, from the log entry that a decision names.
    #[must_use]
    pub const fn trip(&self) -> Option<&Trip> {
        self.trip.as_ref()
    }

    /// The digest that stands for what is shown of it when a decision about it is signed.
    ///
    /// # Errors
    /// Never for identifiers; [`CanonicalError`] otherwise.
    pub fn shown(&self) -> Result<Digest, CanonicalError> {
        canonical::digest(&(&self.document.operation, self.subjects.list()?))
    }
}

fn systems(bytes: &Bytes, what: &'static str) -> Result<BTreeSet<SystemId>, DecideError> {
    let systems: BTreeSet<SystemId> =
        serde_json::from_slice(&bytes.0).map_err(|_| DecideError::Subjects(what))?;
    // Exact bytes are signed for: another spelling would be another document.
    if canonical::to_bytes(&systems)? == bytes.0 {
        Ok(systems)
    } else {
        Err(DecideError::Subjects(what))
    }
}

/// The trip that a log entry of this very operation records.
fn read_trip(
    bytes: &Bytes,
    document: &OperationDocument,
    digest: Digest,
) -> Result<Trip, DecideError> {
    let body: OperationRecorded = Entry::from_bytes(&bytes.0)
        .and_then(|entry| entry.body())
        .map_err(|_| DecideError::Subjects("the log entry of the trip is malformed"))?;
    if body.operation != document.operation || body.document != digest {
        return Err(DecideError::Subjects(
            "the log entry of the trip is of another operation",
        ));
    }
    body.record.trip().cloned().ok_or(DecideError::Subjects(
        "the log entry given as the trip records something else",
    ))
}
