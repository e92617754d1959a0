//! Reads a typed value from a tree, so that an error points at the value that causes it and speaks
//! the domain's words.

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use crate::document::read_error::{ReadError, listed};
use crate::document::tree::{Field, Found, Node, Value, shortened};

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
