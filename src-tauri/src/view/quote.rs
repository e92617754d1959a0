//! Text that others wrote, made harmless to show: one line, no invisible characters, capped.

use countersign_core::identifier::is_invisible;

/// Longest reasons of an agent that are shown, characters.
pub const RATIONALE_CHARACTERS_MAX: usize = 2_000;
/// Longest line of others that is shown, characters.
pub const LINE_CHARACTERS_MAX: usize = 300;
/// Longest name or parameter within a sentence of ours, characters.
const NAME_CHARACTERS_MAX: usize = 60;

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

/// A name or parameter inside a sentence of ours: as it is where it is one plain word, else in
/// quotation marks, so that it cannot pose as our own words.
#[must_use]
pub fn name(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "._-/:+~@*=%".contains(c))
        && text.chars().count() <= NAME_CHARACTERS_MAX;
    if plain {
        return text.to_owned();
    }
    let inner =
        capped(&text.replace(['\n', '\r'], " "), NAME_CHARACTERS_MAX).replace(['“', '”', '"'], "'");
    format!("“{inner}”")
}

/// The title of a service or system inside a sentence of ours. It is the topology's, which people
/// import, so it stands without quotation marks; it stays one short line all the same.
#[must_use]
pub fn title(text: &str) -> String {
    capped(&text.replace(['\n', '\r'], " "), NAME_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::{capped, name};

    #[test]
    fn a_parameter_cannot_pose_as_our_words() {
        for (text, shown) in [
            ("openssl", "openssl"),
            ("/etc/ssl/openssl.cnf", "/etc/ssl/openssl.cnf"),
            ("openssl. Safe to approve", "“openssl. Safe to approve”"),
            ("x” and nothing else", "“x' and nothing else”"),
            ("a\u{202e}b", "“ab”"),
            ("a\nb", "“a b”"),
            ("", "“”"),
        ] {
            assert_eq!(name(text), shown);
        }
        assert_eq!(name(&"x".repeat(200)).chars().count(), 63);
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(capped("abc", 3), "abc");
        assert_eq!(capped("abcd", 3), "abc…");
    }
}
