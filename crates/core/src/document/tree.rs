//! The tree that both readers (YAML and JSON) build: every value with the place where it stands.

use std::borrow::Cow;

use crate::diagnostic::{Diagnostic, Level};
use crate::document::limits::DIAGNOSTICS_MAX;

/// Largest integer that a signed document holds, in either direction (2^53).
const INTEGER_MAX: u64 = 1 << 53;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// 1-based line.
    pub(crate) line: u32,
    /// 1-based column, in characters.
    pub(crate) column: u32,
}

impl Place {
    /// The first character.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) place: Place,
    pub(crate) value: Value<'t>,
}

/// A value as written.
#[derive(Debug)]
pub(crate) enum Value<'t> {
    Null,
    Flag(bool),
    Integer(i64),
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Fields(Vec<Field<'t>>),
}

/// A named value. The name is a node of its own (a text), because errors point at it.
#[derive(Debug)]
pub(crate) struct Field<'t> {
    pub(crate) name: Node<'t>,
    pub(crate) value: Node<'t>,
}

impl<'t> Node<'t> {
    /// The name of a field, where this node is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null
            | Value::Flag(_)
            | Value::Integer(_)
            | Value::List(_)
            | Value::Fields(_) => None,
        }
    }

    /// The field `name`, where this node has it.
    pub(crate) fn field(&self, name: &str) -> Option<&Field<'t>> {
        self.fields().iter().find(|f| f.name.text() == Some(name))
    }

    /// The value of the field `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.field(name).map(|f| &f.value)
    }

    /// The fields of this node, none where it is something else.
    pub(crate) fn fields(&self) -> &[Field<'t>] {
        match &self.value {
            Value::Fields(fields) => fields,
            Value::Null | Value::Flag(_) | Value::Integer(_) | Value::Text(_) | Value::List(_) => {
                &[]
            }
        }
    }

    /// The members of this list, none where it is something else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Null
            | Value::Flag(_)
            | Value::Integer(_)
            | Value::Text(_)
            | Value::Fields(_) => &[],
        }
    }

    /// The place of the value at `path` (names of fields), or of the last of them that exists.
    pub(crate) fn place_of(&self, path: &[&str]) -> Place {
        let mut node = self;
        for name in path {
            let Some(next) = node.get(name) else { break };
            node = next;
        }
        node.place
    }

    /// The place of the member of the list at field `name` that is the text `member`.
    pub(crate) fn place_of_member(&self, path: &[&str], member: &str) -> Place {
        let mut node = self;
        for name in path {
            let Some(next) = node.get(name) else { break };
            node = next;
        }
        node.items()
            .iter()
            .find(|item| item.text() == Some(member))
            .map_or(node.place, |item| item.place)
    }
}

/// Everything found in a document so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    beyond: usize,
}

impl Found {
    /// Reports something that refuses the document.
    pub(crate) fn error(
        &mut self,
        place: Place,
        code: &str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.errors += 1;
        self.add(Level::Error, place, code, message.into(), mend.into());
    }

    /// Reports something worth a look.
    pub(crate) fn warning(
        &mut self,
        place: Place,
        code: &str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(Level::Warning, place, code, message.into(), mend.into());
    }

    fn add(&mut self, level: Level, place: Place, code: &str, message: String, mend: String) {
        let diagnostic = Diagnostic {
            level,
            code: code.to_owned(),
            line: u64::from(place.line),
            column: u64::from(place.column),
            message,
            mend,
        };
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            if !self.diagnostics.contains(&diagnostic) {
                self.diagnostics.push(diagnostic);
            }
            return;
        }
        self.beyond += 1;
        // An error is never hidden by a list of warnings.
        if level == Level::Error
            && let Some(warning) = self
                .diagnostics
                .iter_mut()
                .rfind(|d| d.level == Level::Warning)
        {
            *warning = diagnostic;
        }
    }

    /// Whether anything found refuses the document.
    pub(crate) fn refuses(&self) -> bool {
        self.errors > 0
    }

    /// Whether the list of diagnostics is full, so that reading on tells nobody anything.
    pub(crate) fn is_full(&self) -> bool {
        self.errors > DIAGNOSTICS_MAX
    }

    /// What was found, in the order of the document.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics
            .sort_by_key(|d| (d.line, d.column, std::cmp::Reverse(d.level)));
        if self.beyond > 0
            && let Some(last) = self.diagnostics.last()
        {
            self.diagnostics.push(Diagnostic {
                level: if self.errors > 0 {
                    Level::Error
                } else {
                    Level::Warning
                },
                code: "more".to_owned(),
                line: last.line,
                column: last.column,
                message: format!("{} more are not listed", self.beyond),
                mend: "mend those listed and check again".to_owned(),
            });
        }
        self.diagnostics
    }
}

/// Whether `length` is beyond `max`, which is then reported at `place`.
pub(crate) fn is_beyond(
    length: usize,
    max: usize,
    what: &str,
    place: Place,
    found: &mut Found,
) -> bool {
    if length > max {
        found.error(
            place,
            "too-large",
            format!("more than {max} {what}; that is the limit"),
            "make the document smaller, or check that this is the right file",
        );
    }
    length > max
}

/// What every document is, said of one that is something else.
pub(crate) fn refuse_root(place: Place, found: &mut Found) {
    found.error(
        place,
        "wrong-type",
        "no document begins like this; a group of named fields belongs here",
        "check that this is the right file",
    );
}

/// The number `digits` (an optional minus and digits) as a value, or what is wrong with it.
pub(crate) fn integer<'t>(digits: &str, place: Place, found: &mut Found) -> Value<'t> {
    match digits.parse::<i64>() {
        Ok(number) if number.unsigned_abs() <= INTEGER_MAX => Value::Integer(number),
        Ok(_) | Err(_) => {
            found.error(
                place,
                "number-too-large",
                format!(
                    "`{}` is beyond 2^53, the largest exact number",
                    shortened(digits)
                ),
                "write a smaller number",
            );
            Value::Integer(0)
        }
    }
}

/// A number with a fraction or an exponent: refused, and read as the text that it should have been.
pub(crate) fn fraction<'t>(text: Cow<'t, str>, place: Place, found: &mut Found) -> Value<'t> {
    found.error(
        place,
        "fraction",
        format!(
            "`{}` is a floating-point number, which signed documents do not hold",
            shortened(&text)
        ),
        format!("write it within quotes: \"{}\"", shortened(&text)),
    );
    Value::Text(text)
}

/// Reports every name that stands twice among `fields`.
pub(crate) fn check_duplicate_names(fields: &[Field<'_>], found: &mut Found) {
    fn report(name: &Node<'_>, found: &mut Found) {
        let text = shortened(name.text().unwrap_or_default());
        found.error(
            name.place,
            "duplicate-key",
            format!("`{text}` stands here twice"),
            "remove one of them",
        );
    }
    if fields.len() <= 16 {
        for (index, field) in fields.iter().enumerate() {
            if fields
                .iter()
                .take(index)
                .any(|f| f.name.text() == field.name.text())
            {
                report(&field.name, found);
            }
        }
        return;
    }
    let mut seen = std::collections::BTreeSet::new();
    for field in fields {
        if !seen.insert(field.name.text()) {
            report(&field.name, found);
            if found.is_full() {
                return;
            }
        }
    }
}

/// `text` cut to what fits in a message, without line breaks.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut short: String = text
        .chars()
        .take(CHARS_MAX)
        .map(|c| {
            if c.is_control() || crate::identifier::is_invisible(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}
