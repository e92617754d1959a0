//! Why a request brought no answer.

use countersign_core::identifier::Digest;
use thiserror::Error;

use crate::problem::Problem;

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The backend refused, and says why.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// The address cannot be a backend's.
    #[error("`{address}` cannot be used as a backend's address: {reason}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The token holds a character that no header can.
    #[error("the token holds a character that cannot be sent; copy it again")]
    Token,
    /// No connection, or it broke or took too long.
    #[error("the backend does not answer ({reason}); check the network and its address")]
    Unreachable {
        /// The cause.
        reason: String,
    },
    /// The answer is longer than its kind may be.
    #[error("the backend's answer is longer than {limit_bytes} bytes; nothing was read")]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
    /// The answer is not what the route answers.
    #[error(
        "the backend's answer to {route} cannot be read ({reason}); are both of the same version?"
    )]
    Malformed {
        /// The route.
        route: String,
        /// The cause.
        reason: String,
    },
    /// A document fetched by digest has another.
    #[error("the backend was asked for the document {wanted} and sent {got}; do not trust it")]
    OtherDocument {
        /// What was asked for.
        wanted: Digest,
        /// What came.
        got: Digest,
    },
}

impl ClientError {
    /// The stable code that programs branch on; the backend's own where it refused.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Problem(problem) => &problem.code,
            Self::Address { .. } => "backend_address",
            Self::Token => "token_malformed",
            Self::Unreachable { .. } => "backend_unreachable",
            Self::TooLong { .. } => "answer_too_long",
            Self::Malformed { .. } => "answer_malformed",
            Self::OtherDocument { .. } => "document_differs",
        }
    }

    /// Whether the backend refused for want of a valid token.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 401)
    }
}

impl From<Problem> for ClientError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let title = match &error {
            ClientError::Problem(problem) => return (**problem).clone(),
            ClientError::Address { .. } => "not a backend's address",
            ClientError::Token => "not a token",
            ClientError::Unreachable { .. } => "the backend does not answer",
            ClientError::TooLong { .. } | ClientError::Malformed { .. } => {
                "the backend's answer cannot be read"
            }
            ClientError::OtherDocument { .. } => "the backend sent another document",
        };
        Self::new(error.code(), 0, title, error.to_string())
    }
}
