//! Payloads: documents by digest, salted texts by commitment.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Files;
use super::report::Report;
use crate::canonical;
use crate::identifier::Digest;
use crate::statement::Salted;

/// The payloads whose names are true.
#[derive(Debug, Default)]
pub(super) struct Payloads<'f> {
    documents: BTreeMap<Digest, &'f [u8]>,
    salted: BTreeMap<Digest, Salted>,
}

impl<'f> Payloads<'f> {
    /// Checks the name of every payload.
    pub(super) fn read(files: &'f Files, report: &mut Report) -> Self {
        let mut payloads = Self::default();
        let mut failed = false;
        for (path, bytes) in files {
            let Some(name) = path.strip_prefix("payloads/") else {
                continue;
            };
            let digest = name
                .strip_suffix(".json")
                .and_then(|name| name.parse::<Digest>().ok());
            let salted = canonical_document::<Salted>(bytes).ok();
            match digest {
                Some(digest) if Digest::of(bytes) == digest => {
                    payloads.documents.insert(digest, bytes);
                }
                Some(digest) if salted.as_ref().and_then(Salted::commitment) == Some(digest) => {
                    payloads
                        .salted
                        .extend(salted.map(|salted| (digest, salted)));
                }
                Some(_) | None => {
                    failed = true;
                    report.fail(path, "the content is not what the file's name says");
                }
            }
        }
        if !failed {
            let count = payloads.documents.len() + payloads.salted.len();
            report.hold(
                "payloads",
                format!("{count} payloads are what their names say"),
            );
        }
        payloads
    }

    /// The document with this digest, in canonical form.
    pub(super) fn document<T: Serialize + DeserializeOwned>(
        &self,
        digest: Digest,
    ) -> Result<T, String> {
        let bytes = self
            .documents
            .get(&digest)
            .ok_or_else(|| format!("the document {digest} is missing from payloads"))?;
        canonical_document(bytes).map_err(|error| format!("the document {digest}: {error}"))
    }

    /// The text with this commitment.
    pub(super) fn text(&self, commitment: Digest) -> Option<&str> {
        self.salted
            .get(&commitment)
            .map(|salted| salted.text.as_str())
    }
}

/// Reads a document and demands that its bytes are the canonical ones.
pub(super) fn canonical_document<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
) -> Result<T, String> {
    let document: T =
        serde_json::from_slice(bytes).map_err(|error| format!("it is malformed ({error})"))?;
    match canonical::to_bytes(&document) {
        Ok(canonical) if canonical == bytes => Ok(document),
        Ok(_) => Err("it is not in canonical form".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
