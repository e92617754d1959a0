//! The provisions of AG-706 section 9, word for word, and the tests that support each.
//!
//! The table is the specification's. Which test supports which provision is our reading of what
//! section 9 says of envelope, breaker, dependency analysis, approval, rollback and log.

use serde::Serialize;

/// A provision of a regulation or standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Provision {
    /// The regulation or standard.
    pub regulation: &'static str,
    /// The provision.
    pub provision: &'static str,
    /// How AG-706 relates to it.
    pub relationship: Relationship,
}

/// How AG-706 relates to a provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Relationship {
    /// «Direct requirement».
    #[serde(rename = "Direct requirement")]
    Direct,
    /// «Supports compliance».
    #[serde(rename = "Supports compliance")]
    Supports,
}

impl Relationship {
    /// In the specification's words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "Direct requirement",
            Self::Supports => "Supports compliance",
        }
    }
}

use Relationship::{Direct, Supports};

type Row = (
    &'static str,
    &'static str,
    Relationship,
    &'static [&'static str],
);

/// Section 9, and the tests behind each row.
pub(super) const TABLE: [Row; 10] = [
    (
        "EU AI Act",
        "Article 14 (Human Oversight)",
        Direct,
        &["8.1", "8.2", "8.4", "8.7"],
    ),
    (
        "EU AI Act",
        "Article 9 (Risk Management System)",
        Supports,
        &["8.3", "8.5", "8.7"],
    ),
    (
        "DORA",
        "Article 9 (ICT Change Management)",
        Direct,
        &["8.1", "8.4", "8.6", "8.8"],
    ),
    (
        "DORA",
        "Article 5 (ICT Risk Management Governance)",
        Supports,
        &["8.1", "8.2"],
    ),
    (
        "NIS2 Directive",
        "Article 21 (Cybersecurity Risk Management Measures)",
        Supports,
        &["8.1", "8.3", "8.4", "8.5"],
    ),
    (
        "ISO 42001",
        "Clause 6.1.3 (AI Risk Treatment)",
        Supports,
        &["8.1", "8.5", "8.6"],
    ),
    (
        "NIST AI RMF",
        "GOVERN 1.4 (Organizational Structures), MAP 3.5",
        Supports,
        &["8.1", "8.2"],
    ),
    (
        "NIST CSF",
        "PR.IP (Information Protection Processes and Procedures)",
        Supports,
        &["8.6", "8.8"],
    ),
    (
        "IEC 62443",
        "SR 3.4 (Software and Information Integrity)",
        Supports,
        &["8.2", "8.7"],
    ),
    (
        "PCI DSS",
        "Requirement 6.5.3 (Change Management)",
        Supports,
        &["8.1", "8.6", "8.8"],
    ),
];

/// The provisions that a test supports.
pub(super) fn of(test: &str) -> Vec<Provision> {
    TABLE
        .iter()
        .filter(|(.., tests)| tests.contains(&test))
        .map(|(regulation, provision, relationship, _)| Provision {
            regulation,
            provision,
            relationship: *relationship,
        })
        .collect()
}
