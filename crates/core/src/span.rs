//! Spans of time as documents write them: `2s`, `15m`, `24h`, `92d`.

use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A positive whole number of seconds. Its canonical form uses the largest unit that divides it,
/// so that `24h` and `1d` have one digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    seconds: u32,
}

/// A text that is not a span.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a span of time such as `2s`, `15m`, `24h` or `92d`; write a whole number above zero and one unit, at most 3650d"
)]
pub struct SpanError(String);

const SECONDS_MAX: u32 = 3650 * 86_400;

impl Span {
    /// The span in seconds, at least one.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.seconds
    }

    /// The span as a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::seconds(i64::from(self.seconds))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
            if self.seconds.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.seconds / size);
            }
        }
        write!(f, "{}s", self.seconds)
    }
}

impl std::str::FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || SpanError(text.chars().take(40).collect());
        let unit = text.chars().last().ok_or_else(error)?;
        let size = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(error()),
        };
        let number = text.strip_suffix(unit).ok_or_else(error)?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let seconds = number
            .parse::<u32>()
            .ok()
            .and_then(|n| n.checked_mul(size))
            .ok_or_else(error)?;
        if seconds == 0 || seconds > SECONDS_MAX {
            return Err(error());
        }
        Ok(Self { seconds })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9]+[smhd]$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_span_has_one_form() {
        for (text, canonical) in [
            ("24h", "1d"),
            ("90m", "90m"),
            ("60s", "1m"),
            ("92d", "92d"),
            ("61s", "61s"),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), canonical);
        }
        for bad in ["", "5", "0s", "-1s", "1.5h", "1w", "99999999d", "s", "1é"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
