//! RFC 6962 Merkle trees over a stored-hash layout, their proofs and the check of these.
//!
//! Sources: RFC 6962 §2.1 (hashes, proofs), RFC 9162 §2.1.3.2 and §2.1.4.2 (verification), and the
//! layout of Go's `golang.org/x/mod/sumdb/tlog`: every hash of a perfect subtree is written once,
//! right after the leaf that completes it, and never changes.

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::identifier::Digest;

/// Largest tree: positions of stored hashes stay within `i64`, which databases have.
pub const SIZE_MAX: u64 = 1 << 61;

/// The hash of a leaf: SHA-256(0x00 ‖ entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(entry);
    Digest::from_bytes(hasher.finalize().into())
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([0x01]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    Digest::from_bytes(hasher.finalize().into())
}

/// The root of the empty tree: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// Where stored hashes come from.
pub trait ReadHashes {
    /// The hash stored at `position`, or none where there is none.
    fn hash_at(&self, position: u64) -> Option<Digest>;
}

impl ReadHashes for BTreeMap<u64, Digest> {
    fn hash_at(&self, position: u64) -> Option<Digest> {
        self.get(&position).copied()
    }
}

impl ReadHashes for [Digest] {
    fn hash_at(&self, position: u64) -> Option<Digest> {
        self.get(usize::try_from(position).ok()?).copied()
    }
}

impl ReadHashes for Vec<Digest> {
    fn hash_at(&self, position: u64) -> Option<Digest> {
        self.as_slice().hash_at(position)
    }
}

/// Why a hash or proof cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// The store lacks a hash that it must have: it is damaged. Stop writing.
    #[error(
        "the log's stored hash {position} is missing; the store is damaged, stop writing to it"
    )]
    MissingHash {
        /// Position in the layout.
        position: u64,
    },
    /// The question is about something outside of the tree.
    #[error("{index} is not within a log of {size} entries")]
    OutOfRange {
        /// The entry or older size asked about.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
}

/// Position of the hash of the perfect subtree number `index` of `level` (0 = leaves).
#[must_use]
pub fn stored_position(level: u32, index: u64) -> u64 {
    // The subtree's hash is written right after those of its right-most leaf's own completed subtrees.
    let mut leaf = index;
    for _ in 0..level {
        leaf = leaf.saturating_mul(2).saturating_add(1);
    }
    // Leaf n is preceded by n leaves, n/2 hashes of level 1, n/4 of level 2, …
    let mut position = u64::from(level);
    while leaf > 0 {
        position = position.saturating_add(leaf);
        leaf >>= 1;
    }
    position
}

/// Number of stored hashes of a log of `size` entries.
#[must_use]
pub fn stored_count(size: u64) -> u64 {
    if size == 0 {
        return 0;
    }
    let last = size - 1;
    stored_position(0, last) + u64::from(last.trailing_ones()) + 1
}

/// Positions that [`stored_hashes`] reads to append entry number `index`.
#[must_use]
pub fn positions_to_append(index: u64) -> Vec<u64> {
    (0..index.trailing_ones())
        .map(|level| stored_position(level, (index >> level) - 1))
        .collect()
}

/// The `(position, hash)` pairs to store with entry number `index`, whose leaf hash is `leaf`: the
/// leaf's own, then that of each perfect subtree it completes.
///
/// # Errors
/// [`TreeError::MissingHash`].
pub fn stored_hashes(
    index: u64,
    leaf: Digest,
    hashes: &(impl ReadHashes + ?Sized),
) -> Result<Vec<(u64, Digest)>, TreeError> {
    let first = stored_position(0, index);
    let mut stored = vec![(first, leaf)];
    let mut hash = leaf;
    for (position, left) in (first + 1..).zip(positions_to_append(index)) {
        let left = read(hashes, left)?;
        hash = node_hash(&left, &hash);
        stored.push((position, hash));
    }
    Ok(stored)
}

/// Positions that [`tree_hash`] reads.
#[must_use]
pub fn positions_of_tree(size: u64) -> Vec<u64> {
    positions_of(std::iter::once(0..size))
}

/// The root of the first `size` entries (RFC 6962 §2.1, MTH).
///
/// # Errors
/// [`TreeError::MissingHash`].
pub fn tree_hash(size: u64, hashes: &(impl ReadHashes + ?Sized)) -> Result<Digest, TreeError> {
    range_hash(0..size, hashes)
}

/// Positions that [`inclusion_proof`] reads.
///
/// # Errors
/// [`TreeError::OutOfRange`].
pub fn positions_of_inclusion(index: u64, size: u64) -> Result<Vec<u64>, TreeError> {
    Ok(positions_of(inclusion_ranges(index, size)?))
}

/// The proof that entry number `index` is in the tree of `size` entries (RFC 6962 §2.1.1, PATH).
///
/// # Errors
/// [`TreeError`].
pub fn inclusion_proof(
    index: u64,
    size: u64,
    hashes: &(impl ReadHashes + ?Sized),
) -> Result<Vec<Digest>, TreeError> {
    inclusion_ranges(index, size)?
        .into_iter()
        .map(|range| range_hash(range, hashes))
        .collect()
}

/// Positions that [`consistency_proof`] reads.
///
/// # Errors
/// [`TreeError::OutOfRange`].
pub fn positions_of_consistency(old: u64, new: u64) -> Result<Vec<u64>, TreeError> {
    Ok(positions_of(consistency_ranges(old, new)?))
}

/// The proof that the tree of `new` entries begins with the tree of `old` (RFC 6962 §2.1.2, PROOF).
/// Empty where `old` is 0 or `new`.
///
/// # Errors
/// [`TreeError`].
pub fn consistency_proof(
    old: u64,
    new: u64,
    hashes: &(impl ReadHashes + ?Sized),
) -> Result<Vec<Digest>, TreeError> {
    consistency_ranges(old, new)?
        .into_iter()
        .map(|range| range_hash(range, hashes))
        .collect()
}

fn read(hashes: &(impl ReadHashes + ?Sized), position: u64) -> Result<Digest, TreeError> {
    hashes
        .hash_at(position)
        .ok_or(TreeError::MissingHash { position })
}

/// The largest power of two below `n`, for `n` ≥ 2 (RFC 6962 §2.1: k < n ≤ 2k).
const fn split(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

/// The perfect subtrees, as (level, index), that together span `range`, left to right.
///
/// INVARIANT: `range` is a node of the tree, so that its start is a multiple of the largest power of
/// two within its length; each subtree then begins at a multiple of its own width.
fn subtrees(range: &Range<u64>) -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let level = (range.end - start).ilog2();
        found.push((level, start >> level));
        start += 1 << level;
    }
    found
}

fn positions_of(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<u64> {
    ranges
        .into_iter()
        .flat_map(|range| subtrees(&range))
        .map(|(level, index)| stored_position(level, index))
        .collect()
}

fn range_hash(range: Range<u64>, hashes: &(impl ReadHashes + ?Sized)) -> Result<Digest, TreeError> {
    let mut root = None;
    for (level, index) in subtrees(&range).into_iter().rev() {
        let left = read(hashes, stored_position(level, index))?;
        root = Some(root.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(root.unwrap_or_else(empty_root))
}

fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<Range<u64>>, TreeError> {
    if index >= size || size > SIZE_MAX {
        return Err(TreeError::OutOfRange { index, size });
    }
    let mut ranges = Vec::new();
    let mut node = 0..size;
    while node.end - node.start > 1 {
        let middle = node.start + split(node.end - node.start);
        if index < middle {
            ranges.push(middle..node.end);
            node.end = middle;
        } else {
            ranges.push(node.start..middle);
            node.start = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

fn consistency_ranges(old: u64, new: u64) -> Result<Vec<Range<u64>>, TreeError> {
    if old > new || new > SIZE_MAX {
        return Err(TreeError::OutOfRange {
            index: old,
            size: new,
        });
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let mut ranges = Vec::new();
    let mut node = 0..new;
    while node.end > old {
        let middle = node.start + split(node.end - node.start);
        if old <= middle {
            ranges.push(middle..node.end);
            node.end = middle;
        } else {
            ranges.push(node.start..middle);
            node.start = middle;
        }
    }
    // The old tree's own root is known to the verifier; any other node that ends it is not.
    if node.start > 0 {
        ranges.push(node);
    }
    ranges.reverse();
    Ok(ranges)
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The index or older size lies outside of the tree.
    #[error("the proof is about something outside of the log")]
    OutOfRange,
    /// The proof has too many or too few hashes.
    #[error("the proof has the wrong length")]
    Length,
    /// The proof leads to another root.
    #[error(
        "the proof leads to another root: the log's history was changed or the proof is of something else"
    )]
    Root,
}

/// Checks that `leaf` is entry number `index` of the tree of `size` entries with this `root`
/// (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree of `new` entries with `new_root` begins with the tree of `old` entries with
/// `old_root` (RFC 9162 §2.1.4.2). Every tree begins with the empty one.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    old: u64,
    old_root: Digest,
    new: u64,
    new_root: Digest,
    proof: &[Digest],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::OutOfRange);
    }
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(ProofError::Length);
        }
        let expected = if old == 0 { empty_root() } else { new_root };
        return if old_root == expected {
            Ok(())
        } else {
            Err(ProofError::Root)
        };
    }
    let mut proof = proof.iter();
    let first = if old.is_power_of_two() {
        old_root
    } else {
        *proof.next().ok_or(ProofError::Length)?
    };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if old_hash == old_root && new_hash == new_root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
