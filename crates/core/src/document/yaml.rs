//! Reads YAML into a tree. Only what JSON can say is accepted: no anchors, aliases, merge keys,
//! tags, directives or second documents, so that what a person reads is what counts.

use std::borrow::Cow;

use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle};

use crate::document::limits::Limits;
use crate::document::tree::{
    Field, Found, Node, Place, Value, check_duplicate_names, fraction, integer, is_beyond,
    refuse_root, shortened,
};

/// A list or group of fields that is still open.
enum Open<'t> {
    List(Place, Vec<Node<'t>>),
    Fields(Place, Vec<Field<'t>>, Option<Node<'t>>),
}

/// Nothing more is read; what is wrong has been reported.
struct Halt;

/// The tree as far as it has grown.
struct Growing<'t, 'f> {
    open: Vec<Open<'t>>,
    root: Option<Node<'t>>,
    documents: u32,
    values: usize,
    limits: &'f Limits,
    found: &'f mut Found,
}

/// The tree of `text`, or nothing where it has none; what is wrong goes to `found`.
pub(crate) fn read<'t>(text: &'t str, limits: &Limits, found: &mut Found) -> Option<Node<'t>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = limits.depth_max;
    options.block_nesting_limit = limits.depth_max;

    let mut growing = Growing {
        open: Vec::new(),
        root: None,
        documents: 0,
        values: 0,
        limits,
        found,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => growing.take(event, place(&span.start)).ok()?,
            Err(error) => {
                growing.found.error(
                    place(error.marker()),
                    "yaml-syntax",
                    format!("this is not YAML: {}", error.kind()),
                    "check indentation, quotes and brackets around this place",
                );
                return None;
            }
        }
    }
    if growing.root.is_none() {
        refuse_empty(growing.found);
    }
    growing.root
}

impl<'t> Growing<'t, '_> {
    fn take(&mut self, event: Event<'t>, at: Place) -> Result<(), Halt> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.halt(
                        at,
                        "second-document",
                        "a second document begins here",
                        "put each document into a file of its own",
                    );
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.begin(at, anchor, tag.is_some())?;
                let is_name = matches!(self.open.last(), Some(Open::Fields(_, _, None)));
                let value = scalar(text, style, is_name, at, self.found);
                if self.open.is_empty() {
                    match value {
                        Value::Null => refuse_empty(self.found),
                        Value::Flag(_)
                        | Value::Integer(_)
                        | Value::Text(_)
                        | Value::List(_)
                        | Value::Fields(_) => refuse_root(at, self.found),
                    }
                    return Err(Halt);
                }
                self.place_in(Node { place: at, value })?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(at, anchor, tag.is_some())?;
                if self.open.is_empty() {
                    refuse_root(at, self.found);
                    return Err(Halt);
                }
                self.open.push(Open::List(at, Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(at, anchor, tag.is_some())?;
                self.open.push(Open::Fields(at, Vec::new(), None));
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return self.halt(
                    at,
                    "alias",
                    "an alias stands here; what an approver reads must stand where it counts",
                    "write the value itself",
                );
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::Comment(..) => {}
            _ => {
                return self.halt(
                    at,
                    "yaml-syntax",
                    "this part of YAML is not understood here",
                    "write it with plain lists, fields and texts",
                );
            }
        }
        Ok(())
    }

    fn halt(&mut self, at: Place, code: &str, message: &str, mend: &str) -> Result<(), Halt> {
        self.found.error(at, code, message, mend);
        Err(Halt)
    }

    /// A value begins.
    fn begin(&mut self, at: Place, anchor: usize, is_tagged: bool) -> Result<(), Halt> {
        refuse_anchor(anchor, at, self.found);
        refuse_tag(is_tagged, at, self.found);
        self.values += 1;
        let Limits {
            values_max,
            depth_max,
            ..
        } = *self.limits;
        if self.found.is_full()
            || is_beyond(self.values, values_max, "values", at, self.found)
            || is_beyond(
                self.open.len(),
                depth_max,
                "levels inside one another",
                at,
                self.found,
            )
        {
            return Err(Halt);
        }
        Ok(())
    }

    /// The innermost list or group ends.
    fn close(&mut self) -> Result<(), Halt> {
        match self.open.pop() {
            Some(Open::List(place, mut items)) => {
                items.shrink_to_fit();
                self.place_in(Node {
                    place,
                    value: Value::List(items),
                })
            }
            Some(Open::Fields(place, mut fields, _)) => {
                check_duplicate_names(&fields, self.found);
                fields.shrink_to_fit();
                self.place_in(Node {
                    place,
                    value: Value::Fields(fields),
                })
            }
            None => Ok(()),
        }
    }

    /// A value is complete: it goes into the innermost open list or group, or is the root.
    fn place_in(&mut self, node: Node<'t>) -> Result<(), Halt> {
        let at = node.place;
        let is_beyond = match self.open.last_mut() {
            None => {
                self.root = Some(node);
                false
            }
            Some(Open::List(_, items)) => {
                items.push(node);
                is_beyond(
                    items.len(),
                    self.limits.members_max,
                    "members",
                    at,
                    self.found,
                )
            }
            Some(Open::Fields(_, fields, name)) => match name.take() {
                Some(name) => {
                    fields.push(Field { name, value: node });
                    is_beyond(
                        fields.len(),
                        self.limits.fields_max,
                        "fields",
                        at,
                        self.found,
                    )
                }
                None => {
                    if node.text().is_none() {
                        self.found.error(
                            at,
                            "field-name",
                            "the name of a field is a list or a group of fields",
                            "name fields with a plain word",
                        );
                    }
                    *name = Some(node);
                    false
                }
            },
        };
        if is_beyond { Err(Halt) } else { Ok(()) }
    }
}

fn refuse_empty(found: &mut Found) {
    found.error(
        Place::START,
        "empty",
        "the document is empty",
        "check that this is the right file",
    );
}

fn refuse_anchor(anchor: usize, at: Place, found: &mut Found) {
    if anchor != 0 {
        found.error(
            at,
            "anchor",
            "an anchor stands here; what an approver reads must stand where it counts",
            "remove `&…` and write the value wherever it is meant",
        );
    }
}

fn refuse_tag(tagged: bool, at: Place, found: &mut Found) {
    if tagged {
        found.error(
            at,
            "tag",
            "a tag such as `!!str` or `!include` stands here; tags are not used",
            "remove the tag; put texts within quotes",
        );
    }
}

/// A scalar by the YAML 1.2 core schema; the name of a field is always a text.
fn scalar<'t>(
    text: Cow<'t, str>,
    style: ScalarStyle,
    is_name: bool,
    at: Place,
    found: &mut Found,
) -> Value<'t> {
    if style != ScalarStyle::Plain {
        return Value::Text(text);
    }
    if is_name {
        if text == "<<" {
            found.error(
                at,
                "merge-key",
                "a merge key stands here; what an approver reads must stand where it counts",
                "write the fields themselves",
            );
        }
        return Value::Text(text);
    }
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Flag(true),
        "false" | "False" | "FALSE" => return Value::Flag(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => {
            return fraction(text, at, found);
        }
        _ => {}
    }
    match number(&text) {
        Number::None => Value::Text(text),
        Number::Fraction => fraction(text, at, found),
        Number::Integer => integer(&text, at, found),
        Number::Strange => {
            found.error(
                at,
                "number",
                format!(
                    "`{}` is a number that can be read in two ways",
                    shortened(&text)
                ),
                "write a plain decimal number, or put a text within quotes",
            );
            Value::Text(text)
        }
    }
}

enum Number {
    None,
    Integer,
    Fraction,
    /// `+5`, `007`, `0x1f`, `0o17`: YAML numbers that JSON does not know.
    Strange,
}

fn number(text: &str) -> Number {
    let signed = text.strip_prefix(['+', '-']);
    let rest = signed.unwrap_or(text);
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Number::None;
    }
    if let Some(digits) = rest.strip_prefix("0x") {
        let hexadecimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        return if hexadecimal {
            Number::Strange
        } else {
            Number::None
        };
    }
    if let Some(digits) = rest.strip_prefix("0o") {
        let octal = !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
        return if octal { Number::Strange } else { Number::None };
    }
    let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
    let Some(tail) = rest.get(whole..) else {
        return Number::None;
    };
    if tail.is_empty() {
        let strange = text.starts_with('+') || (whole > 1 && rest.starts_with('0'));
        return if strange {
            Number::Strange
        } else {
            Number::Integer
        };
    }
    let (digits, tail) = match tail.strip_prefix('.') {
        Some(tail) => {
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            (digits, tail.get(digits..).unwrap_or_default())
        }
        None => (0, tail),
    };
    if whole + digits == 0 {
        return Number::None;
    }
    let exponent = match tail.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        }
        None => tail.is_empty(),
    };
    if exponent {
        Number::Fraction
    } else {
        Number::None
    }
}

fn place(marker: &Marker) -> Place {
    Place {
        line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
        column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
    }
}
