//! Server-sent events, as bytes arrive.
//!
//! Source: WHATWG HTML §9.2.6 (interpreting an event stream).

/// The longest line and the longest event, bytes.
const EVENT_BYTES_MAX: usize = 256 << 10;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// The last `id` seen so far.
    pub(super) id: Option<String>,
    /// The `event` member; `message` where none was sent.
    pub(super) name: String,
    /// The `data` lines.
    pub(super) data: String,
}

/// A line or event beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Makes events of bytes.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    after_return: bool,
    id: Option<String>,
    name: String,
    data: String,
    has_data: bool,
}

impl Parser {
    /// The events that these bytes complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.take(&String::from_utf8_lossy(&line))?);
                }
                other if self.line.len() < EVENT_BYTES_MAX => self.line.push(*other),
                _ => return Err(TooLong),
            }
        }
        Ok(events)
    }

    fn take(&mut self, line: &str) -> Result<Option<Event>, TooLong> {
        if line.is_empty() {
            let (name, mut data) = (
                std::mem::take(&mut self.name),
                std::mem::take(&mut self.data),
            );
            // The last line feed of the data is not part of it.
            data.pop();
            return Ok(std::mem::take(&mut self.has_data).then(|| Event {
                id: self.id.clone(),
                name: if name.is_empty() {
                    "message".to_owned()
                } else {
                    name
                },
                data,
            }));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" if self.data.len().saturating_add(value.len()) < EVENT_BYTES_MAX => {
                self.data.push_str(value);
                self.data.push('\n');
                self.has_data = true;
            }
            "data" => return Err(TooLong),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment, `retry` (the wait is ours) or something newer.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENT_BYTES_MAX, Event, Parser, TooLong};

    fn event(id: Option<&str>, name: &str, data: &str) -> Event {
        Event {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    fn check(stream: &str, expected: &[Event]) {
        let whole = Parser::default().feed(stream.as_bytes()).unwrap();
        assert_eq!(whole, expected, "{stream:?}");
        let mut parser = Parser::default();
        let bytewise: Vec<_> = stream
            .bytes()
            .flat_map(|byte| parser.feed(&[byte]).unwrap())
            .collect();
        assert_eq!(bytewise, expected, "byte by byte: {stream:?}");
    }

    #[test]
    fn events_end_at_empty_lines() {
        check(
            "id: 7\nevent: changed\ndata: {}\n\n",
            &[event(Some("7"), "changed", "{}")],
        );
        check(
            "data: a\r\ndata: b\r\n\r\ndata:c\r\r",
            &[event(None, "message", "a\nb"), event(None, "message", "c")],
        );
        check(
            "id: 1\ndata: a\n\ndata: b\n\n",
            &[
                event(Some("1"), "message", "a"),
                event(Some("1"), "message", "b"),
            ],
        );
        check(": keep-alive\n\n", &[]);
        check("event: nothing\n\n", &[]);
        check("data\n\n", &[event(None, "message", "")]);
        check("data: cut", &[]);
    }

    #[test]
    fn a_line_or_event_without_end_is_refused() {
        let line = format!("data: {}", "x".repeat(EVENT_BYTES_MAX));
        assert_eq!(Parser::default().feed(line.as_bytes()), Err(TooLong));
        let lines = format!("data: {}\n", "x".repeat(1000)).repeat(EVENT_BYTES_MAX / 1000 + 1);
        assert_eq!(Parser::default().feed(lines.as_bytes()), Err(TooLong));
    }
}
