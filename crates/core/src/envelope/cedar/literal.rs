//! Cedar literals. Names come from people and agents, and some of those are hostile.

use super::NAMESPACE;

/// `text` as a Cedar string literal in printable ASCII, so that no name can end the literal, a comment
/// or a line, nor pose as another.
pub(super) fn text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len().saturating_add(2));
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            ' '..='~' => literal.push(c),
            _ => literal.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    literal.push('"');
    literal
}

/// A Cedar set of string literals.
pub(super) fn set<'a>(members: impl IntoIterator<Item = &'a str>) -> String {
    let members: Vec<String> = members.into_iter().map(text).collect();
    format!("[{}]", members.join(", "))
}

/// A reference to an entity of the schema's namespace.
pub(super) fn entity(kind: &str, id: &str) -> String {
    format!("{NAMESPACE}::{kind}::{}", text(id))
}

/// A Cedar set of references to entities.
pub(super) fn entities<'a>(kind: &str, ids: impl IntoIterator<Item = &'a str>) -> String {
    let members: Vec<String> = ids.into_iter().map(|id| entity(kind, id)).collect();
    format!("[{}]", members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_printable_ascii_and_ends_where_it_should() {
        for (given, expected) in [
            ("linux-server", r#""linux-server""#),
            (r#"");permit(a,b,c);//"#, r#""\");permit(a,b,c);//""#),
            (r"back\slash", r#""back\\slash""#),
            ("line\nbreak", r#""line\u{a}break""#),
            ("é\u{202e}\0", r#""\u{e9}\u{202e}\u{0}""#),
            ("", r#""""#),
        ] {
            assert_eq!(text(given), expected);
        }
    }
}
