//! The log as static files: hash tiles of height 8 and bundles of entries.
//!
//! Source: C2SP tlog-tiles. The bytes come from the same stored hashes as everything else, so that
//! tiles are derived and never a second truth.

use thiserror::Error;

use super::tree::{ReadHashes, TreeError, stored_position};

/// Hashes, or entries, in a full tile.
pub const WIDTH: u64 = 256;
/// Levels of the tree that one tile spans.
const HEIGHT: u32 = 8;
/// Highest tile level.
const LEVEL_MAX: u8 = 63;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of this tile level; level 0 holds leaf hashes.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// The coordinates of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its number, from 0.
    pub index: u64,
    /// How many hashes or entries it holds, 1 to [`WIDTH`]; fewer than that make it partial.
    pub width: u16,
}

/// Why there is no such tile or bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TileError {
    /// The path is none of the specification's.
    #[error(
        "`{0}` is not a tile; write `<level>/<index>` or `entries/<index>`, as C2SP tlog-tiles does"
    )]
    Path(String),
    /// The tile reaches beyond the log.
    #[error("the tile reaches beyond the log")]
    Beyond,
    /// An entry does not fit its 16-bit length.
    #[error("an entry of {0} bytes does not fit a bundle; the limit is 65535")]
    EntryTooLarge(usize),
    /// A bundle is cut short.
    #[error("the bundle of entries is cut short")]
    Bundle,
    /// A stored hash is missing.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Tile {
    /// The path below the log's `tile/`: `0/x001/x234/067` or `entries/000.p/12`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = match self.kind {
            TileKind::Hashes(level) => format!("{level}/"),
            TileKind::Entries => "entries/".to_owned(),
        };
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        path.push_str(&groups.join("/"));
        if u64::from(self.width) < WIDTH {
            path.push_str(&format!(".p/{}", self.width));
        }
        path
    }

    /// The tile at this path below `tile/`.
    ///
    /// # Errors
    /// [`TileError::Path`] for anything but the one spelling of a tile.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let error = || TileError::Path(path.chars().take(80).collect());
        let (kind, rest) = path.split_once('/').ok_or_else(error)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(
                level
                    .parse()
                    .ok()
                    .filter(|l| *l <= LEVEL_MAX)
                    .ok_or_else(error)?,
            ),
        };
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, width.parse().map_err(|_| error())?),
            None => (rest, 256),
        };
        let mut index: u64 = 0;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let value: u64 = digits
                .parse()
                .ok()
                .filter(|_| digits.len() == 3)
                .ok_or_else(error)?;
            index = index
                .checked_mul(1000)
                .and_then(|i| i.checked_add(value))
                .ok_or_else(error)?;
        }
        let tile = Self { kind, index, width };
        // One tile, one spelling: this also refuses signs, needless zeros and a `.p/256`.
        if width == 0 || width > 256 || tile.path() != path {
            return Err(error());
        }
        Ok(tile)
    }

    /// The tile's hashes in the tree of `size` entries, 32 bytes each, from the stored ones at
    /// [`Tile::positions`]. For a tile of entries these are the leaf hashes.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn hashes(
        &self,
        size: u64,
        hashes: &(impl ReadHashes + ?Sized),
    ) -> Result<Vec<u8>, TileError> {
        let mut bytes = Vec::with_capacity(usize::from(self.width) * 32);
        for position in self.positions(size)? {
            let hash = hashes
                .hash_at(position)
                .ok_or(TreeError::MissingHash { position })?;
            bytes.extend_from_slice(hash.as_bytes());
        }
        Ok(bytes)
    }

    /// Positions of the stored hashes that the tile holds.
    ///
    /// # Errors
    /// [`TileError::Beyond`] where the log of `size` entries has no such tile.
    pub fn positions(&self, size: u64) -> Result<Vec<u64>, TileError> {
        let level = match self.kind {
            TileKind::Hashes(level) => u32::from(level) * HEIGHT,
            TileKind::Entries => 0,
        };
        let complete = size.checked_shr(level).unwrap_or(0);
        let start = self.index.checked_mul(WIDTH).ok_or(TileError::Beyond)?;
        let end = start
            .checked_add(u64::from(self.width))
            .ok_or(TileError::Beyond)?;
        if end > complete {
            return Err(TileError::Beyond);
        }
        Ok((start..end)
            .map(|index| stored_position(level, index))
            .collect())
    }
}

/// Every tile of the tree of `size` entries, those of entries first, then level by level.
#[must_use]
pub fn tiles(size: u64) -> Vec<Tile> {
    let mut tiles = of_row(TileKind::Entries, size);
    let mut level = 0_u8;
    let mut complete = size;
    while complete > 0 {
        tiles.extend(of_row(TileKind::Hashes(level), complete));
        complete /= WIDTH;
        level = level.saturating_add(1);
    }
    tiles
}

fn of_row(kind: TileKind, complete: u64) -> Vec<Tile> {
    (0..complete.div_ceil(WIDTH))
        .map(|index| Tile {
            kind,
            index,
            // INVARIANT: at most 256.
            width: u16::try_from((complete - index * WIDTH).min(WIDTH)).unwrap_or(256),
        })
        .collect()
}

/// A bundle of entries: each with its length as a big-endian `u16` before it.
///
/// # Errors
/// [`TileError::EntryTooLarge`].
pub fn bundle<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length =
            u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLarge(entry.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle.
///
/// # Errors
/// [`TileError::Bundle`].
pub fn unbundle(mut bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(TileError::Bundle)?;
        entries.push(entry);
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(entries)
    } else {
        Err(TileError::Bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{leaf_hash, stored_hashes, tree_hash};
    use super::*;
    use crate::identifier::Digest;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |kind, index, width| Tile { kind, index, width };
        for (tile, path) in [
            (tile(TileKind::Hashes(0), 1_234_067, 256), "0/x001/x234/067"),
            (tile(TileKind::Hashes(1), 0, 17), "1/000.p/17"),
            (tile(TileKind::Entries, 273, 112), "entries/273.p/112"),
            (tile(TileKind::Hashes(63), 1000, 1), "63/x001/000.p/1"),
        ] {
            assert_eq!(tile.path(), path);
            assert_eq!(Tile::parse(path), Ok(tile));
        }
        for path in [
            "",
            "0",
            "0/",
            "0/0",
            "00/000",
            "64/000",
            "0/x000/001",
            "0/x001",
            "0/001/002",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "entries/+01",
            "data/000",
            "0/000.p/",
            "-1/000",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(Tile::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_tree_of_70000_has_the_tiles_of_the_specifications_example() {
        let tiles = tiles(70_000);
        let row = |kind| -> Vec<u16> {
            tiles
                .iter()
                .filter(|t| t.kind == kind)
                .map(|t| t.width)
                .collect()
        };
        for kind in [TileKind::Entries, TileKind::Hashes(0)] {
            let widths = row(kind);
            assert_eq!(widths.len(), 274);
            assert!(widths[..273].iter().all(|w| *w == 256));
            assert_eq!(widths[273], 112);
        }
        assert_eq!(row(TileKind::Hashes(1)), [256, 17]);
        assert_eq!(row(TileKind::Hashes(2)), [1]);
        assert_eq!(super::tiles(256).len(), 3);
        assert!(super::tiles(0).is_empty());
    }

    #[test]
    fn hashes_of_tiles_are_those_of_the_tree() {
        let mut stored: Vec<Digest> = Vec::new();
        for index in 0..600_u64 {
            let new = stored_hashes(index, leaf_hash(&index.to_be_bytes()), &stored).unwrap();
            stored.extend(new.into_iter().map(|(_, hash)| hash));
        }
        let level_1 = Tile {
            kind: TileKind::Hashes(1),
            index: 0,
            width: 2,
        };
        let bytes = level_1.hashes(600, &stored).unwrap();
        assert_eq!(&bytes[..32], tree_hash(256, &stored).unwrap().as_bytes());
        assert_eq!(bytes.len(), 64);
        assert_eq!(level_1.hashes(511, &stored), Err(TileError::Beyond));
        for tile in tiles(600) {
            assert_eq!(
                tile.hashes(600, &stored).unwrap().len(),
                usize::from(tile.width) * 32
            );
        }
        let leaves = Tile {
            kind: TileKind::Hashes(0),
            index: 2,
            width: 88,
        };
        assert_eq!(
            &leaves.hashes(600, &stored).unwrap()[..32],
            leaf_hash(&512_u64.to_be_bytes()).as_bytes()
        );
    }

    #[test]
    fn bundles_carry_their_entries_and_refuse_damage() {
        let entries: Vec<&[u8]> = vec![b"one", b"", b"three"];
        let bytes = bundle(&entries).unwrap();
        assert_eq!(bytes, b"\x00\x03one\x00\x00\x00\x05three");
        assert_eq!(unbundle(&bytes).unwrap(), entries);
        assert_eq!(unbundle(&bytes[..bytes.len() - 1]), Err(TileError::Bundle));
        assert_eq!(unbundle(&bytes[..1]), Err(TileError::Bundle));
        assert_eq!(
            bundle([vec![0; 65_536]]),
            Err(TileError::EntryTooLarge(65_536))
        );
    }
}
