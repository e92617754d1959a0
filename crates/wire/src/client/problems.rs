//! The errors of deciding as [`Problem`]s, each with a stable code, for the window and for `--json`.

use super::decide::DecideError;
use super::review::ReviewError;
use super::trust::{TrustError, WitnessError};
use crate::problem::Problem;

fn local(code: &str, title: &str, detail: &impl std::fmt::Display) -> Problem {
    Problem::new(code, 0, title, detail.to_string())
}

impl From<TrustError> for Problem {
    fn from(error: TrustError) -> Self {
        let (code, title) = match error {
            TrustError::Client(error) => return error.into(),
            TrustError::NoGenesis => ("no_genesis", "no genesis yet"),
            TrustError::OtherGenesis { .. } => ("other_genesis", "not the pinned backend"),
            TrustError::Contradiction { .. } => (
                "genesis_contradiction",
                "the backend contradicts its genesis",
            ),
            TrustError::Malformed(_) | TrustError::Roster(_) => {
                ("genesis_malformed", "the genesis cannot be read")
            }
        };
        local(code, title, &error)
    }
}

impl From<WitnessError> for Problem {
    fn from(error: WitnessError) -> Self {
        match error {
            WitnessError::Client(error) => error.into(),
            WitnessError::Alarm(_) => local("log_alarm", "the log contradicts itself", &error),
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        let (code, title) = match error {
            ReviewError::Client(error) => return error.into(),
            ReviewError::Malformed { .. } | ReviewError::Canonical(_) => {
                ("document_malformed", "a document cannot be read")
            }
            ReviewError::OtherDeployment => ("wrong_audience", "another deployment's briefing"),
            ReviewError::OtherItem { .. } => ("other_item", "another item's briefing"),
        };
        local(code, title, &error)
    }
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Client(error) => error.into(),
            DecideError::Decision(ref cause) => {
                local(cause.code(), "this cannot be signed", &error)
            }
            DecideError::NotEnrolled(_) => local("unknown_approver", "not enrolled", &error),
            DecideError::NotWhatWasShown => local("not_what_was_shown", "it has changed", &error),
            DecideError::Disagreement(_) => {
                local("assessments_differ", "the assessments differ", &error)
            }
            DecideError::NotLogged(_) => local("not_logged", "not proved to be logged", &error),
            DecideError::Subjects(_) | DecideError::Suspension(_) => local(
                "wrong_subjects",
                "the documents do not fit together",
                &error,
            ),
            DecideError::Canonical(_) => {
                local("no_canonical_form", "this cannot be signed", &error)
            }
            DecideError::Receipt(_) => {
                local("receipt_invalid", "the receipt does not hold", &error)
            }
        }
    }
}
