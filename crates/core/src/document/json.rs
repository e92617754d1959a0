//! Reads JSON (RFC 8259) into a tree. `serde_json` knows no places of values, hence this reader.

use std::borrow::Cow;

use crate::document::limits::Limits;
use crate::document::tree::{
    Field, Found, Node, Place, Value, check_duplicate_names, fraction, integer, is_beyond,
    refuse_root, shortened,
};

/// The text ended or went wrong; what is wrong has been reported.
struct Halt;

struct Reader<'t, 'f> {
    text: &'t str,
    /// Byte offset of what is read next; always on a character boundary.
    offset: usize,
    /// Byte offset of `place`, never beyond `offset`.
    placed: usize,
    place: Place,
    values: usize,
    limits: &'f Limits,
    found: &'f mut Found,
}

/// The tree of `text`, or nothing where it has none; what is wrong goes to `found`.
pub(crate) fn read<'t>(text: &'t str, limits: &Limits, found: &mut Found) -> Option<Node<'t>> {
    let mut reader = Reader {
        text,
        offset: 0,
        placed: 0,
        place: Place::START,
        values: 0,
        limits,
        found,
    };
    reader.skip_space();
    if matches!(reader.peek(), Some(b'[' | b'"' | b'-' | b'0'..=b'9'))
        || reader.rest().starts_with("null")
    {
        let place = reader.here();
        refuse_root(place, reader.found);
        return None;
    }
    let root = reader.value(0).ok()?;
    reader.skip_space();
    if reader.peek().is_some() {
        let place = reader.here();
        reader.found.error(
            place,
            "json-syntax",
            "something follows the end of the document",
            "remove it",
        );
        return None;
    }
    Some(root)
}

impl<'t> Reader<'t, '_> {
    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.offset += 1;
        }
    }

    /// The place of `offset`. Places only move forward, so that all of them together cost one pass.
    fn here(&mut self) -> Place {
        let passed = self.text.get(self.placed..self.offset).unwrap_or_default();
        for c in passed.chars() {
            if c == '\n' {
                self.place.line = self.place.line.saturating_add(1);
                self.place.column = 1;
            } else {
                self.place.column = self.place.column.saturating_add(1);
            }
        }
        self.placed = self.offset;
        self.place
    }

    fn halt<T>(&mut self, message: impl Into<String>, mend: &str) -> Result<T, Halt> {
        let place = self.here();
        self.found.error(place, "json-syntax", message, mend);
        Err(Halt)
    }

    fn unexpected<T>(&mut self, expected: &str) -> Result<T, Halt> {
        match self.rest().chars().next() {
            Some(c) => self.halt(
                format!(
                    "`{}` stands here where {expected} belongs",
                    shortened(c.encode_utf8(&mut [0; 4]))
                ),
                "check commas, quotes and brackets around this place",
            ),
            None => self.halt(
                format!("the document ends here where {expected} belongs"),
                "complete it; it may have been cut short",
            ),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'t>, Halt> {
        self.skip_space();
        let place = self.here();
        self.count(place)?;
        let value = match self.peek() {
            Some(b'{') => self.fields(depth + 1)?,
            Some(b'[') => self.list(depth + 1)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number(place)?,
            Some(_) | None => {
                let rest = self.rest();
                let (value, length) = if rest.starts_with("true") {
                    (Value::Flag(true), 4)
                } else if rest.starts_with("false") {
                    (Value::Flag(false), 5)
                } else if rest.starts_with("null") {
                    (Value::Null, 4)
                } else {
                    return self.unexpected("a value");
                };
                self.offset += length;
                value
            }
        };
        Ok(Node { place, value })
    }

    fn count(&mut self, place: Place) -> Result<(), Halt> {
        self.values += 1;
        let values_max = self.limits.values_max;
        if is_beyond(self.values, values_max, "values", place, self.found) {
            return Err(Halt);
        }
        if self.found.is_full() {
            return Err(Halt);
        }
        Ok(())
    }

    fn enter(&mut self, depth: usize) -> Result<(), Halt> {
        let place = self.here();
        let depth_max = self.limits.depth_max;
        if is_beyond(
            depth,
            depth_max,
            "levels inside one another",
            place,
            self.found,
        ) {
            return Err(Halt);
        }
        self.offset += 1;
        self.skip_space();
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Value<'t>, Halt> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.offset += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            let members_max = self.limits.members_max;
            if is_beyond(items.len(), members_max, "members", self.place, self.found) {
                return Err(Halt);
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.offset += 1,
                Some(b']') => {
                    self.offset += 1;
                    return Ok(Value::List(items));
                }
                Some(_) | None => return self.unexpected("`,` or `]`"),
            }
        }
    }

    fn fields(&mut self, depth: usize) -> Result<Value<'t>, Halt> {
        self.enter(depth)?;
        let mut fields = Vec::new();
        if self.peek() == Some(b'}') {
            self.offset += 1;
            return Ok(Value::Fields(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.unexpected("the name of a field, within quotes,");
            }
            let place = self.here();
            self.count(place)?;
            let name = Node {
                place,
                value: Value::Text(self.string()?),
            };
            self.skip_space();
            if self.peek() != Some(b':') {
                return self.unexpected("`:`");
            }
            self.offset += 1;
            let value = self.value(depth)?;
            fields.push(Field { name, value });
            let fields_max = self.limits.fields_max;
            if is_beyond(fields.len(), fields_max, "fields", self.place, self.found) {
                return Err(Halt);
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.offset += 1,
                Some(b'}') => {
                    self.offset += 1;
                    check_duplicate_names(&fields, self.found);
                    return Ok(Value::Fields(fields));
                }
                Some(_) | None => return self.unexpected("`,` or `}`"),
            }
        }
    }

    /// A string, from its opening quote to past its closing one.
    fn string(&mut self) -> Result<Cow<'t, str>, Halt> {
        let bytes = self.text.as_bytes();
        let mut end = self.offset + 1;
        let mut escaped = false;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(0..=0x1f) => {
                    return self.halt(
                        "the text that begins here holds a line break or control character",
                        "close the quote, or write the character as `\\n` or `\\u….`",
                    );
                }
                Some(_) => end += 1,
                None => {
                    return self.halt("the text that begins here has no closing quote", "close it");
                }
            }
        }
        let quoted = self.text.get(self.offset..=end).unwrap_or_default();
        let text = if escaped {
            match serde_json::from_str::<String>(quoted) {
                Ok(text) => Cow::Owned(text),
                Err(_) => {
                    return self.halt(
                        "the text that begins here holds an escape that JSON does not know",
                        "write `\\\\` for a backslash, and both halves of a surrogate pair",
                    );
                }
            }
        } else {
            Cow::Borrowed(self.text.get(self.offset + 1..end).unwrap_or_default())
        };
        self.offset = end + 1;
        Ok(text)
    }

    fn number(&mut self, place: Place) -> Result<Value<'t>, Halt> {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let text = rest.get(..length).unwrap_or_default();
        if serde_json::from_str::<serde_json::Number>(text).is_err()
            && !text.bytes().all(|b| b.is_ascii_digit())
        {
            return self.halt(
                format!("`{}` is not a number", shortened(text)),
                "write a whole number, or a text within quotes",
            );
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
        {
            return self.halt(
                format!("`{}` begins with a zero", shortened(text)),
                "remove the zero, or put a text within quotes",
            );
        }
        self.offset += length;
        if digits.bytes().all(|b| b.is_ascii_digit()) {
            Ok(integer(text, place, self.found))
        } else {
            Ok(fraction(Cow::Borrowed(text), place, self.found))
        }
    }
}
