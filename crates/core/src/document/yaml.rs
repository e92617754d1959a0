//! Reads YAML into a tree. Only what JSON can say is accepted: no anchors, aliases, merge keys,
//! tags, directives or second documents, so that what a person reads is what counts.

use std::borrow::Cow;

use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle};

use crate::document::limits::Limits;
use crate::document::tree::{
    Field, Found, Node, Place, Value, check_duplicate_names, fraction, integer, shortened,
};

/// A list or group of fields that is still open.
enum Open<'t> {
    List(Place, Vec<Node<'t>>),
    Fields(Place, Vec<Field<'t>>, Option<Node<'t>>),
}

/// The tree of `text`, or nothing where it has none; what is wrong goes to `found`.
pub(crate) fn read<'t>(text: &'t str, limits: &Limits, found: &mut Found) -> Option<Node<'t>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = limits.depth_max;
    options.block_nesting_limit = limits.depth_max;

    let mut open: Vec<Open<'t>> = Vec::new();
    let mut root = None;
    let mut documents = 0_u32;
    let mut values = 0_usize;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                found.error(
                    place(error.marker()),
                    "yaml-syntax",
                    format!("this is not YAML: {}", error.kind()),
                    "check indentation, quotes and brackets around this place",
                );
                return None;
            }
        };
        let at = place(&span.start);
        let node = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    found.error(
                        at,
                        "second-document",
                        "a second document begins here",
                        "put each document into a file of its own",
                    );
                    return None;
                }
                continue;
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_anchor(anchor, at, found);
                refuse_tag(tag.is_some(), at, found);
                let is_name = matches!(open.last(), Some(Open::Fields(_, _, None)));
                Some(Node {
                    place: at,
                    value: scalar(text, style, is_name, at, found),
                })
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_anchor(anchor, at, found);
                refuse_tag(tag.is_some(), at, found);
                open.push(Open::List(at, Vec::new()));
                None
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_anchor(anchor, at, found);
                refuse_tag(tag.is_some(), at, found);
                open.push(Open::Fields(at, Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(place, mut items)) => {
                    items.shrink_to_fit();
                    Some(Node {
                        place,
                        value: Value::List(items),
                    })
                }
                Some(Open::Fields(place, mut fields, _)) => {
                    check_duplicate_names(&fields, found);
                    fields.shrink_to_fit();
                    Some(Node {
                        place,
                        value: Value::Fields(fields),
                    })
                }
                None => None,
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                found.error(
                    at,
                    "alias",
                    "an alias stands here; what an approver reads must stand where it counts",
                    "write the value itself",
                );
                return None;
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::Comment(..) => continue,
            _ => {
                found.error(
                    at,
                    "yaml-syntax",
                    "this part of YAML is not understood here",
                    "write it with plain lists, fields and texts",
                );
                return None;
            }
        };
        values += 1;
        if values > limits.values_max {
            found.error(
                at,
                "too-large",
                format!("more than {} values; that is the limit", limits.values_max),
                "make the document smaller",
            );
            return None;
        }
        if open.len() > limits.depth_max {
            found.error(
                at,
                "too-deep",
                format!("more than {} levels inside one another", limits.depth_max),
                "remove levels; no document needs so many",
            );
            return None;
        }
        if let Some(node) = node {
            place_in(node, &mut open, &mut root, found);
        }
        if found.is_full() {
            return None;
        }
    }
    if root.is_none() && !found.refuses() {
        found.error(
            Place::START,
            "empty",
            "the document is empty",
            "write it after the examples in `docs`",
        );
    }
    root
}

/// Puts a finished node where it belongs: into the innermost open list or group, or at the root.
fn place_in<'t>(
    node: Node<'t>,
    open: &mut [Open<'t>],
    root: &mut Option<Node<'t>>,
    found: &mut Found,
) {
    match open.last_mut() {
        None => *root = Some(node),
        Some(Open::List(_, items)) => items.push(node),
        Some(Open::Fields(_, fields, name)) => match name.take() {
            Some(name) => fields.push(Field { name, value: node }),
            None => {
                if node.text().is_none() {
                    found.error(
                        node.place,
                        "field-name",
                        "the name of a field is a list or a group of fields",
                        "name fields with a plain word",
                    );
                }
                *name = Some(node);
            }
        },
    }
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
