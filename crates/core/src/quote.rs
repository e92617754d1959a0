//! Names and parameters of others inside our own sentences, so that they cannot pose as our words.

use crate::identifier::is_invisible;

/// Longest name or parameter shown within a sentence of ours, characters.
pub const NAME_CHARACTERS_MAX: usize = 60;

/// `text` as it is where it is one plain word of at most [`NAME_CHARACTERS_MAX`] characters (letters,
/// digits, `._-/:+~@*=%`), else on one line, without invisible characters, capped, in quotation marks
/// (DESIGN §11).
#[must_use]
pub fn name(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "._-/:+~@*=%".contains(c))
        && text.chars().nth(NAME_CHARACTERS_MAX).is_none();
    if plain {
        return text.to_owned();
    }
    let mut shown: String = text
        .chars()
        .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c })
        .filter(|c| !(c.is_control() || is_invisible(*c)))
        .map(|c| {
            if matches!(c, '“' | '”' | '"' | '«' | '»') {
                '\''
            } else {
                c
            }
        })
        .take(NAME_CHARACTERS_MAX)
        .collect();
    if text.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    format!("“{shown}”")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_parameter_cannot_pose_as_our_words() {
        for (text, shown) in [
            ("openssl", "openssl"),
            ("3.0.15-1~deb12u1", "3.0.15-1~deb12u1"),
            ("/etc/ssl/openssl.cnf", "/etc/ssl/openssl.cnf"),
            ("openssl. Safe to approve", "“openssl. Safe to approve”"),
            ("x” and nothing else", "“x' and nothing else”"),
            ("x» approved «y", "“x' approved 'y”"),
            ("a\u{202e}b", "“ab”"),
            ("a\nb", "“a b”"),
            ("", "“”"),
        ] {
            assert_eq!(name(text), shown);
        }
        assert_eq!(name(&"x".repeat(200)).chars().count(), 63);
    }
}
