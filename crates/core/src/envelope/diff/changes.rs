//! The list of changes under construction, and the ways in which members differ.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{Change, Direction};

/// Which way a limit loosens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loosens {
    /// It is a most.
    Growing,
    /// It is a least.
    Shrinking,
}

/// What a list means where it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// It asks nothing.
    Loosest,
    /// It asks about everything.
    Strictest,
}

#[derive(Debug, Default)]
pub(super) struct Changes {
    list: Vec<Change>,
}

impl Changes {
    pub(super) fn into_list(self) -> Vec<Change> {
        self.list
    }

    pub(super) fn push(
        &mut self,
        path: impl Into<String>,
        direction: Direction,
        sentence: impl Into<String>,
    ) {
        self.list.push(Change {
            path: path.into(),
            sentence: sentence.into(),
            direction,
        });
    }

    /// What may let more happen and less: one change in each direction.
    pub(super) fn either(&mut self, path: impl Into<String>, sentence: String) {
        let path = path.into();
        self.push(path.clone(), Direction::Widens, sentence.clone());
        self.push(path, Direction::Narrows, sentence);
    }

    pub(super) fn neutral<T: PartialEq + Display>(
        &mut self,
        path: &str,
        before: &T,
        after: &T,
        what: &str,
    ) {
        self.neutral_optional(path, Some(before), Some(after), what);
    }

    pub(super) fn neutral_optional<T: PartialEq + Display>(
        &mut self,
        path: &str,
        before: Option<&T>,
        after: Option<&T>,
        what: &str,
    ) {
        if before != after {
            self.push(
                path,
                Direction::Neutral,
                format!(
                    "{what} is now {}, was {}",
                    or_none(after, "absent"),
                    or_none(before, "absent")
                ),
            );
        }
    }

    /// A limit, of which an absent one is the loosest.
    pub(super) fn bound<T: Ord + Display>(
        &mut self,
        path: impl Into<String>,
        before: Option<&T>,
        after: Option<&T>,
        loosens: Loosens,
        say: impl Fn(&str, &str) -> String,
    ) {
        let direction = match (before, after) {
            (None, None) => return,
            (None, Some(_)) => Direction::Narrows,
            (Some(_), None) => Direction::Widens,
            (Some(before), Some(after)) => match (after.cmp(before), loosens) {
                (std::cmp::Ordering::Equal, _) => return,
                (std::cmp::Ordering::Greater, Loosens::Growing)
                | (std::cmp::Ordering::Less, Loosens::Shrinking) => Direction::Widens,
                (std::cmp::Ordering::Less, Loosens::Growing)
                | (std::cmp::Ordering::Greater, Loosens::Shrinking) => Direction::Narrows,
            },
        };
        let (now, was) = (or_none(after, "unlimited"), or_none(before, "unlimited"));
        self.push(path, direction, say(&now, &was));
    }

    /// Members added go in the direction `added`, members removed in the other. `say` is given
    /// the member and whether it is new.
    pub(super) fn members<T: Ord + Display>(
        &mut self,
        path: &str,
        before: &BTreeSet<T>,
        after: &BTreeSet<T>,
        added: Direction,
        say: impl Fn(&T, bool) -> String,
    ) {
        for member in before.symmetric_difference(after) {
            let is_new = after.contains(member);
            let direction = if is_new { added } else { added.opposite() };
            self.push(
                pointer(path, &member.to_string()),
                direction,
                say(member, is_new),
            );
        }
    }

    /// A list that has a meaning of its own where it is empty; otherwise a member more loosens it
    /// where an empty list is the loosest of `any of these`, and tightens it where it is the strictest.
    pub(super) fn choice<T: Ord + Display>(
        &mut self,
        path: &str,
        before: &BTreeSet<T>,
        after: &BTreeSet<T>,
        empty: Empty,
        say: impl Fn(&str, &str) -> String,
    ) {
        if before == after {
            return;
        }
        let (nothing, added) = match empty {
            Empty::Loosest => ("any", Direction::Widens),
            Empty::Strictest => ("every", Direction::Narrows),
        };
        let name = |set: &BTreeSet<T>| {
            if set.is_empty() {
                nothing.to_owned()
            } else {
                listed(set)
            }
        };
        let sentence = say(&name(after), &name(before));
        if before.is_empty() {
            return self.push(path, added.opposite(), sentence);
        }
        if after.is_empty() {
            return self.push(path, added, sentence);
        }
        if !after.is_subset(before) {
            self.push(path, added, sentence.clone());
        }
        if !before.is_subset(after) {
            self.push(path, added.opposite(), sentence);
        }
    }
}

/// A condition that is asked for or not. Returns both sides where both ask.
pub(super) fn both<'e, T>(
    changes: &mut Changes,
    path: &str,
    before: Option<&'e T>,
    after: Option<&'e T>,
    say: impl Fn(bool) -> String,
) -> Option<(&'e T, &'e T)> {
    match (before, after) {
        (Some(before), Some(after)) => return Some((before, after)),
        (None, None) => {}
        (None, Some(_)) => changes.push(path, Direction::Narrows, say(true)),
        (Some(_), None) => changes.push(path, Direction::Widens, say(false)),
    }
    None
}

fn or_none<T: Display>(value: Option<&T>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), ToString::to_string)
}

/// `a, b, c`.
pub(super) fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The JSON Pointer of a member.
pub(super) fn pointer(path: &str, member: &str) -> String {
    format!("{path}/{}", member.replace('~', "~0").replace('/', "~1"))
}
