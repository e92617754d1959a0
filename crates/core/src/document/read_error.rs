//! What is wrong with a value that cannot be read, in the domain's words and at its place.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};

use crate::document::tree::{Field, Found, Node, Place, shortened};

/// Why a value could not be read. Boxed, because every value that can be read passes it around.
#[derive(Debug)]
pub(crate) struct ReadError(Box<Complaint>);

#[derive(Debug)]
struct Complaint {
    /// Set by the innermost value that the error passes.
    place: Option<Place>,
    /// The field that is meant, where only the group around it knows its place.
    field: Option<String>,
    /// What the value was read as, to choose the words.
    read_as: Option<&'static str>,
    /// The value as written, where it is a text.
    text: Option<String>,
    code: &'static str,
    message: String,
    mend: String,
}

impl ReadError {
    pub(super) fn new(code: &'static str, message: String, mend: String) -> Self {
        Self(Box::new(Complaint {
            place: None,
            field: None,
            read_as: None,
            text: None,
            code,
            message,
            mend,
        }))
    }

    /// The same error, at `node` unless it already has a place.
    pub(super) fn at(mut self, node: &Node<'_>, read_as: &'static str) -> Self {
        if self.0.place.is_none() {
            // Of a field that stands twice, the second is the one too many.
            let which = usize::from(self.0.code == DUPLICATE);
            let named = |field: &&Field<'_>| field.name.text() == self.0.field.as_deref();
            let field = self
                .0
                .field
                .is_some()
                .then(|| node.fields().iter().filter(named).nth(which))
                .flatten();
            self.0.place = Some(field.map_or(node.place, |field| field.name.place));
            self.0.read_as = Some(read_as);
            self.0.text = node.text().map(shortened);
        }
        self
    }

    /// Whether it only repeats, without a place, what reading the parameters of an action by its
    /// kind finds in them (`proposal::Action` buffers them).
    pub(crate) fn sums_up(&self) -> bool {
        self.0.code == CUSTOM && self.0.message.starts_with("parameters of `")
    }

    /// Reports it, at its place.
    pub(crate) fn report(self, found: &mut Found) {
        let Complaint {
            place,
            field: _,
            read_as,
            text,
            code,
            message,
            mend,
        } = *self.0;
        let place = place.unwrap_or(Place::START);
        let form = read_as
            .filter(|_| code == CUSTOM && mend.is_empty())
            .and_then(form_of);
        match (form, text) {
            (Some((what, example)), Some(text)) => found.error(
                place,
                code,
                format!("`{text}` is not {what}"),
                format!("write it as {example}"),
            ),
            _ if mend.is_empty() => found.error(place, code, message, "correct the value"),
            _ => found.error(place, code, message, mend),
        }
    }
}

const CUSTOM: &str = "invalid-value";
const DUPLICATE: &str = "duplicate-key";

/// What a foreign type looks like in a document, by the name of the type that was read: their own
/// messages speak of characters and digits.
fn form_of(read_as: &'static str) -> Option<(&'static str, &'static str)> {
    [
        ("DateTime", "an instant", "\"2026-11-24T02:14:00Z\""),
        ("NaiveDate", "a date", "\"2026-12-18\""),
        ("IpNet", "an address range", "\"10.4.0.0/16\""),
        ("IpAddr", "an IP address", "\"10.4.3.9\""),
    ]
    .into_iter()
    .find(|(name, _, _)| read_as.contains(name))
    .map(|(_, what, example)| (what, example))
}

impl Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    /// A message of our own reads "what is wrong; what to do".
    fn custom<T: Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once("; ") {
            Some((message, mend)) => Self::new(CUSTOM, message.to_owned(), mend.to_owned()),
            None => Self::new(CUSTOM, message, String::new()),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(expected);
        let is_unquoted = matches!(
            unexpected,
            Unexpected::Bool(_) | Unexpected::Unsigned(_) | Unexpected::Signed(_)
        );
        let mend = if is_unquoted && wanted == "a text" {
            "put it within quotes".to_owned()
        } else {
            format!("write {wanted}")
        };
        Self::new(
            "wrong-type",
            format!("{} stands here where {wanted} belongs", met(&unexpected)),
            mend,
        )
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(expected);
        Self::new(
            CUSTOM,
            format!("{} is not {wanted}", met(&unexpected)),
            format!("write {wanted}"),
        )
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let wanted = wanted(expected);
        Self::new(
            CUSTOM,
            format!("{length} values stand here where {wanted} belongs"),
            format!("write {wanted}"),
        )
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::new(
            "unknown-value",
            format!(
                "`{}` is not one of the values that belong here",
                shortened(variant)
            ),
            format!("write one of {}", listed(expected)),
        );
        error.0.field = Some(variant.to_owned());
        error
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mend = match nearest(field, expected) {
            Some(near) => format!("write `{near}`, or remove it"),
            None if expected.is_empty() => "remove it; there are no fields here".to_owned(),
            None => format!("remove it; the fields here are {}", listed(expected)),
        };
        let mut error = Self::new(
            "unknown-field",
            format!("unknown field `{}`", shortened(field)),
            mend,
        );
        error.0.field = Some(field.to_owned());
        error
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(
            "missing-field",
            format!("field `{field}` is missing"),
            format!("add `{field}` here"),
        )
    }

    fn duplicate_field(field: &'static str) -> Self {
        let mut error = Self::new(
            DUPLICATE,
            format!("`{field}` stands here twice"),
            "remove one of them".to_owned(),
        );
        error.0.field = Some(field.to_owned());
        error
    }
}

/// Serde's word for what belongs here, in ours.
fn wanted(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "a string" | "a borrowed string" => "a text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number from 0 to 2^53".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a group of named fields".to_owned(),
        other if other.starts_with("struct ") => "a group of named fields".to_owned(),
        other if other.starts_with("enum ") || other.contains("enum ") => {
            "one of the values that belong here".to_owned()
        }
        _ => expected,
    }
}

/// What stands in the document, in our words.
fn met(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text `{}`", shortened(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a group of named fields".to_owned(),
        Unexpected::Float(_)
        | Unexpected::Char(_)
        | Unexpected::Bytes(_)
        | Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant
        | Unexpected::Other(_) => unexpected.to_string(),
    }
}

/// Names, each quoted as code.
pub(super) fn listed(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The name among `names` that differs from `name` by at most two letters.
fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    if name.len() > 64 {
        return None;
    }
    names
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = cost.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
