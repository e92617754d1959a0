//! What an action installs must be what was approved: the file with this SHA-256.

use std::fs::File;
use std::path::Path;

use countersign_core::identifier::Digest;
use std::io::Read as _;

use crate::output::Failure;

/// Largest artefact, bytes.
const BYTES_MAX: u64 = 256 << 20;

/// Checks that the folder has the file, under its digest, with that digest.
///
/// # Errors
/// [`Failure`] where it has not, or there is no folder.
pub(super) fn check(folder: Option<&Path>, digest: &str) -> Result<(), Failure> {
    let refused = |what: String| Failure::refused("wrong_artefact", what);
    let expected: Digest = digest
        .parse()
        .map_err(|_| refused(format!("`{}` is no SHA-256", crate::output::plain(digest))))?;
    let folder = folder.ok_or_else(|| {
        refused("the action installs a file; name the folder with `--artefacts`".to_owned())
    })?;
    let path = folder.join(expected.to_string());
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| {
            file.take(BYTES_MAX.saturating_add(1))
                .read_to_end(&mut bytes)
        })
        .map_err(|error| refused(format!("`{}` cannot be read: {error}", path.display())))?;
    if Digest::of(&bytes) == expected {
        Ok(())
    } else {
        Err(refused(format!(
            "`{}` is not what was approved: its SHA-256 is {}",
            path.display(),
            Digest::of(&bytes)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_approved_file_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"approved").to_string();
        let check = |folder: Option<&Path>, digest: &str| {
            check(folder, digest).map_err(|failure| failure.to_string())
        };
        assert!(check(None, &digest).unwrap_err().contains("--artefacts"));
        assert!(
            check(Some(folder.path()), "../x")
                .unwrap_err()
                .contains("no SHA-256")
        );
        assert!(
            check(Some(folder.path()), &digest)
                .unwrap_err()
                .contains("cannot be read")
        );
        std::fs::write(folder.path().join(&digest), "other").unwrap();
        assert!(
            check(Some(folder.path()), &digest)
                .unwrap_err()
                .contains("not what was approved")
        );
        std::fs::write(folder.path().join(&digest), "approved").unwrap();
        assert_eq!(check(Some(folder.path()), &digest), Ok(()));
    }
}
