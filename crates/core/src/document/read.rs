//! Reads a typed value from a tree, so that an error points at the value that causes it and speaks
//! the domain's words.

use std::fmt::Display;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use crate::document::tree::{Field, Found, Node, Place, Value, shortened};

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
    fn new(code: &'static str, message: String, mend: String) -> Self {
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
    fn at(mut self, node: &Node<'_>, read_as: &'static str) -> Self {
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

fn listed(names: &[&str]) -> String {
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

/// Reads a `T`; what is wrong goes to `found`.
pub(crate) fn read<T: DeserializeOwned>(node: &Node<'_>, found: &mut Found) -> Option<T> {
    match T::deserialize(node) {
        Ok(value) => Some(value),
        Err(error) => {
            // What a type finds once its own fields are read has passed no value yet.
            error.at(node, std::any::type_name::<T>()).report(found);
            None
        }
    }
}

/// Reads every member of a list as a `T` and keeps none: the first error of each is reported.
pub(crate) fn check_each<T: DeserializeOwned>(list: Option<&Node<'_>>, found: &mut Found) {
    for item in list.map(Node::items).unwrap_or_default() {
        let _: Option<T> = read(item, found);
        if found.is_full() {
            return;
        }
    }
}

macro_rules! forward {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'n, 't> de::Deserializer<'n> for &'n Node<'t>
where
    't: 'n,
{
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let read_as = std::any::type_name::<V::Value>();
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Flag(flag) => visitor.visit_bool(*flag),
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(*number),
            },
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items {
                items: items.iter(),
            }),
            Value::Fields(fields) => visitor.visit_map(Fields {
                fields: fields.iter(),
                value: None,
            }),
        }
        .map_err(|error| error.at(self, read_as))
    }

    /// Nothing, and a group without fields, equal absence (DESIGN §5). An empty list does not:
    /// "no drills" is a fact, "drills unknown" is none.
    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::Null => visitor.visit_none(),
            Value::Fields(fields) if fields.is_empty() => visitor.visit_none(),
            Value::Fields(_)
            | Value::List(_)
            | Value::Flag(_)
            | Value::Integer(_)
            | Value::Text(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::Null => visitor.visit_seq(Items { items: [].iter() }),
            Value::Fields(_)
            | Value::List(_)
            | Value::Flag(_)
            | Value::Integer(_)
            | Value::Text(_) => return self.deserialize_any(visitor),
        }
        .map_err(|error| error.at(self, "list"))
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::Null => visitor.visit_map(Fields {
                fields: [].iter(),
                value: None,
            }),
            Value::Fields(_)
            | Value::List(_)
            | Value::Flag(_)
            | Value::Integer(_)
            | Value::Text(_) => return self.deserialize_any(visitor),
        }
        .map_err(|error| error.at(self, "map"))
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        // Serde would also read a struct from a list of its values in order: never meant here.
        if matches!(self.value, Value::List(_)) {
            let error = de::Error::invalid_type(Unexpected::Seq, &"a map");
            return Err(ReadError::at(error, self, "struct"));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let access = match &self.value {
            Value::Text(_) => Variant {
                name: self,
                value: None,
            },
            Value::Fields(fields) => match fields.as_slice() {
                [field] => Variant {
                    name: &field.name,
                    value: Some(&field.value),
                },
                [] => {
                    return Err(ReadError::new(
                        "missing-field",
                        format!("one of {} is missing", listed(variants)),
                        "add it here".to_owned(),
                    )
                    .at(self, "enum"));
                }
                [_, second, ..] => {
                    return Err(ReadError::new(
                        "several-fields",
                        format!("exactly one of {} belongs here", listed(variants)),
                        "remove the others".to_owned(),
                    )
                    .at(&second.name, "enum"));
                }
            },
            Value::Null | Value::Flag(_) | Value::Integer(_) | Value::List(_) => {
                return Err(ReadError::new(
                    "wrong-type",
                    format!("this is not one of {}", listed(variants)),
                    "write one of them".to_owned(),
                )
                .at(self, "enum"));
            }
        };
        visitor
            .visit_enum(access)
            .map_err(|error| error.at(self, "enum"))
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier
    }

    fn deserialize_unit_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'n>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }
}

struct Items<'n, 't> {
    items: std::slice::Iter<'n, Node<'t>>,
}

impl<'n, 't: 'n> SeqAccess<'n> for Items<'n, 't> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        self.items
            .next()
            .map(|item| {
                seed.deserialize(item)
                    .map_err(|error| error.at(item, std::any::type_name::<T::Value>()))
            })
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'n, 't> {
    fields: std::slice::Iter<'n, Field<'t>>,
    value: Option<&'n Node<'t>>,
}

impl<'n, 't: 'n> MapAccess<'n> for Fields<'n, 't> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some(field) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some(&field.value);
        seed.deserialize(&field.name)
            .map_err(|error| error.at(&field.name, std::any::type_name::<K::Value>()))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(value) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its name"));
        };
        seed.deserialize(value)
            .map_err(|error| error.at(value, std::any::type_name::<V::Value>()))
    }
}

struct Variant<'n, 't> {
    name: &'n Node<'t>,
    value: Option<&'n Node<'t>>,
}

impl<'n, 't: 'n> EnumAccess<'n> for Variant<'n, 't> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let variant = seed
            .deserialize(self.name)
            .map_err(|error| error.at(self.name, "variant"))?;
        Ok((variant, self))
    }
}

impl<'n, 't: 'n> Variant<'n, 't> {
    fn content(&self) -> Result<&'n Node<'t>, ReadError> {
        self.value.ok_or_else(|| {
            ReadError::new(
                "wrong-type",
                format!(
                    "`{}` has no value here",
                    shortened(self.name.text().unwrap_or_default())
                ),
                "write it as a field with a value".to_owned(),
            )
            .at(self.name, "variant")
        })
    }
}

impl<'n, 't: 'n> VariantAccess<'n> for Variant<'n, 't> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.value {
            None => Ok(()),
            Some(value) => Err(ReadError::new(
                "wrong-type",
                "a value stands here where none belongs".to_owned(),
                "write the name alone".to_owned(),
            )
            .at(value, "variant")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'n>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        de::Deserializer::deserialize_tuple(self.content()?, length, visitor)
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        de::Deserializer::deserialize_map(self.content()?, visitor)
    }
}
