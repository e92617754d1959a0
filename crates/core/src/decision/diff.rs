//! What changed between two versions of a document, as the approvers of the change sign it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::canonical::{self, CanonicalError};
use crate::identifier::Digest;

/// The `schema` member of a diff.
pub const SCHEMA: &str = "countersign/diff/v1";

/// Every difference between two versions, in the order of their paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// [`SCHEMA`].
    pub schema: String,
    /// Digest of the version before; absent where there was none, which counts as `{}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// Digest of the new version.
    pub after: Digest,
    /// What changed.
    pub changes: Vec<Change>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// JSON Pointer (RFC 6901), in which members of a list of objects with ids go by their id.
    /// Where such a list itself is named, the values are its ids in their order.
    pub path: String,
    /// The value before; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl Diff {
    /// The differences between two versions of a document.
    ///
    /// # Errors
    /// [`CanonicalError`] where a version has no canonical form.
    pub fn between<T: Serialize>(before: Option<&T>, after: &T) -> Result<Self, CanonicalError> {
        let old = match before {
            Some(before) => serde_json::to_value(before)?,
            None => Value::Object(Map::new()),
        };
        let mut changes = Vec::new();
        compare(
            String::new(),
            &old,
            &serde_json::to_value(after)?,
            &mut changes,
        );
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            schema: SCHEMA.to_owned(),
            before: before.map(canonical::digest).transpose()?,
            after: canonical::digest(after)?,
            changes,
        })
    }
}

/// Documents are read under a depth limit, which bounds the recursion.
fn compare(path: String, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        return compare_members(&path, old, new, changes);
    }
    if let (Some(old), Some(new)) = (by_id(before), by_id(after)) {
        let (old_ids, new_ids) = (ids(before), ids(after));
        if old_ids != new_ids {
            changes.push(Change {
                path: path.clone(),
                before: Some(old_ids),
                after: Some(new_ids),
            });
        }
        return compare_members(&path, &old, &new, changes);
    }
    changes.push(Change {
        path,
        before: Some(before.clone()),
        after: Some(after.clone()),
    });
}

fn compare_members(
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    changes: &mut Vec<Change>,
) {
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) => compare(path, before, after, changes),
            (before, after) => changes.push(Change {
                path,
                before: before.cloned(),
                after: after.cloned(),
            }),
        }
    }
}

/// The members of a list in which every one is an object with an id of its own.
fn by_id(list: &Value) -> Option<Map<String, Value>> {
    let items = list.as_array()?;
    let mut members = Map::new();
    for item in items {
        let id = item.get("id")?.as_str()?.to_owned();
        if members.insert(id, item.clone()).is_some() {
            return None;
        }
    }
    Some(members)
}

fn ids(list: &Value) -> Value {
    list.as_array()
        .map(|items| {
            items
                .iter()
                .filter_map(|item| item.get("id"))
                .cloned()
                .collect()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: Value, after: Value, expected: &[&str]) {
        let diff = Diff::between(Some(&before), &after).unwrap();
        let paths: Vec<_> = diff.changes.iter().map(|c| c.path.as_str()).collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn differences_are_named_by_path() {
        check(json!({"a": 1}), json!({"a": 1}), &[]);
        check(json!({"a": 1}), json!({"a": 2, "b/c": 3}), &["/a", "/b~1c"]);
        check(json!({"a": [1, 2]}), json!({"a": [2, 1]}), &["/a"]);
        check(
            json!({"rules": [{"id": "x", "n": 1}, {"id": "y"}]}),
            json!({"rules": [{"id": "x", "n": 2}, {"id": "y"}]}),
            &["/rules/x/n"],
        );
        // Order matters: the first of equally good rules is reported.
        check(
            json!({"rules": [{"id": "x"}, {"id": "y"}]}),
            json!({"rules": [{"id": "y"}, {"id": "x"}]}),
            &["/rules"],
        );
        check(
            json!({"rules": [{"id": "x"}]}),
            json!({"rules": [{"id": "x"}, {"id": "z"}]}),
            &["/rules", "/rules/z"],
        );
        // Two of one id: no names to go by.
        check(
            json!({"l": [{"id": "x"}, {"id": "x"}]}),
            json!({"l": [{"id": "x"}]}),
            &["/l"],
        );
    }

    #[test]
    fn a_first_version_is_all_new() {
        let diff = Diff::between(None, &json!({"b": 1, "a": {}})).unwrap();
        assert_eq!(diff.before, None);
        assert_eq!(diff.changes.len(), 2);
        assert!(diff.changes.iter().all(|change| change.before.is_none()));
    }
}
