//! Text that others wrote, made harmless to show: one line, no invisible characters, capped.

use countersign_core::identifier::is_invisible;
use countersign_core::quote::NAME_CHARACTERS_MAX;
pub use countersign_core::quote::name;

/// Longest reasons of an agent that are shown, characters.
pub const RATIONALE_CHARACTERS_MAX: usize = 2_000;
/// Longest line of others that is shown, characters.
pub const LINE_CHARACTERS_MAX: usize = 300;

/// `text` without control and invisible characters, at most `characters_max` long. Line feeds stay.
#[must_use]
pub fn capped(text: &str, characters_max: usize) -> String {
    let mut shown: String = text
        .chars()
        .filter(|c| *c == '\n' || !(c.is_control() || is_invisible(*c)))
        .take(characters_max)
        .collect();
    if text.chars().nth(characters_max).is_some() {
        shown.push('…');
    }
    shown
}

/// One line of others.
#[must_use]
pub fn line(text: &str) -> String {
    capped(&text.replace(['\n', '\r'], " "), LINE_CHARACTERS_MAX)
}

/// A line of others inside a sentence of ours, always in quotation marks.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("“{}”", line(text).replace(['“', '”', '"', '«', '»'], "'"))
}

/// The title of a service or system inside a sentence of ours. It is the topology's, which people
/// import, so it stands without quotation marks; it stays one short line all the same.
#[must_use]
pub fn title(text: &str) -> String {
    capped(&text.replace(['\n', '\r'], " "), NAME_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::capped;

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(capped("abc", 3), "abc");
        assert_eq!(capped("abcd", 3), "abc…");
    }
}
