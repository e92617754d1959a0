//! Limits on documents: a limit on every length, so that no input can exhaust the reader.

/// What the reader of one kind of document accepts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Size of the text in bytes.
    pub bytes_max: usize,
    /// Values in the document: texts, numbers, lists, groups of fields and the names of fields.
    pub values_max: usize,
    /// Members of one list.
    pub members_max: usize,
    /// Named fields of one group.
    pub fields_max: usize,
    /// Lists and groups of fields inside one another.
    pub depth_max: usize,
}

/// An envelope is written and read by people.
pub const ENVELOPE: Limits = Limits {
    bytes_max: 1 << 20,
    values_max: 100_000,
    members_max: 10_000,
    fields_max: 2_000,
    depth_max: 24,
};

/// A topology of 100,000 systems and 500,000 dependencies is about 70 MB and 7 million values.
pub const TOPOLOGY: Limits = Limits {
    bytes_max: 256 << 20,
    values_max: 20_000_000,
    members_max: 2_000_000,
    fields_max: 2_000,
    depth_max: 24,
};

/// A proposal comes from an agent.
pub const PROPOSAL: Limits = Limits {
    bytes_max: 1 << 20,
    values_max: 100_000,
    members_max: 100_000,
    fields_max: 2_000,
    depth_max: 24,
};

/// A history comes from a backend.
pub const HISTORY: Limits = Limits {
    bytes_max: 64 << 20,
    values_max: 10_000_000,
    members_max: 1_000_000,
    fields_max: 2_000,
    depth_max: 24,
};

/// Diagnostics reported of one document; what is found beyond is counted, not listed.
pub const DIAGNOSTICS_MAX: usize = 200;

/// Longest title, summary, source, name or parameter, in characters.
pub const TITLE_CHARS_MAX: usize = 500;

/// Longest rationale or description, in characters.
pub const RATIONALE_CHARS_MAX: usize = 10_000;

/// Longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 200;

/// Longest name or value of a label, in characters.
pub const LABEL_CHARS_MAX: usize = 200;

/// Labels of a system, of a grant or of a selector.
pub const LABELS_MAX: usize = 64;

/// Addresses of a system.
pub const ADDRESSES_MAX: usize = 256;

/// Systems that a proposal names; a wider one is written as a selector.
pub const TARGETS_MAX: usize = 20_000;

/// Systems that a credential rotation updates.
pub const UPDATED_DEPENDENTS_MAX: usize = 20_000;

/// Signals that an agent claims.
pub const CLAIMED_SIGNALS_MAX: usize = 1_000;

/// Rules, calendars, checks or agents of an envelope, and members of any list within them.
pub const ENVELOPE_LIST_MAX: usize = 1_000;
