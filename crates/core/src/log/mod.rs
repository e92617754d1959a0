//! The log: what is not in it did not happen (DESIGN §7; AG-706 4.8).
//!
//! An append-only Merkle tree (RFC 6962) of [`Entry`] bytes. [`tree`] hashes and proves, [`tile`]
//! gives the same hashes as C2SP tlog-tiles, [`checkpoint`] signs a size and root as a C2SP note,
//! [`proof`] writes one entry's inclusion as a C2SP tlog-proof, and [`entry`] is what a leaf holds.
//!
//! A writer, in the transaction of the change that an entry records:
//!
//! 1. `let leaf = entry.to_bytes()?` and `n` = the number of entries so far;
//! 2. read the hashes at [`tree::positions_to_append`]`(n)` into a `BTreeMap<u64, Digest>`;
//! 3. insert the leaf and every `(position, hash)` of [`tree::stored_hashes`]`(n, leaf_hash(&leaf), &map)`.
//!
//! Nothing here reads: each function that needs hashes has a companion `positions_…` that says
//! which, so that a store can fetch them at once and pass them as a map.

pub mod body;
pub mod checkpoint;
pub mod entry;
pub mod proof;
pub mod tile;
pub mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Entry, EntryError, EntryKind};
pub use tree::{
    ProofError, ReadHashes, TreeError, leaf_hash, verify_consistency, verify_inclusion,
};
