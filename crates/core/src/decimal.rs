//! Decimals: fractions and rates travel as strings and are compared exactly.

use rust_decimal::Decimal as Inner;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A non-negative decimal, written as a string such as `"0.05"`; its canonical form has no
/// trailing zeros, so equal values have equal digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(Inner);

/// A text that is not such a decimal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a decimal such as \"0.05\"; write digits, at most one point, no sign or exponent, within quotes"
)]
pub struct DecimalError(String);

impl Decimal {
    /// The whole of something.
    pub const ONE: Self = Self(Inner::ONE);

    /// Whether `numerator / denominator` ≤ this decimal, without rounding.
    /// A denominator of zero is never within a limit.
    #[must_use]
    pub fn admits(&self, numerator: u64, denominator: u64) -> bool {
        if denominator == 0 {
            return false;
        }
        // numerator / denominator ≤ mantissa / 10^scale, by cross-multiplication in 256 bits.
        let Ok(mantissa) = u128::try_from(self.0.mantissa()) else {
            return false;
        };
        let Some(power) = 10_u128.checked_pow(self.0.scale()) else {
            return false;
        };
        widening(u128::from(numerator), power) <= widening(mantissa, u128::from(denominator))
    }

    /// The decimal in whole parts per billion, rounded down; `i64::MAX` where there are more.
    #[must_use]
    pub fn parts_per_billion_floor(&self) -> i64 {
        let (parts, _) = self.parts_per_billion();
        i64::try_from(parts).unwrap_or(i64::MAX)
    }

    /// The decimal in whole parts per billion, rounded up; `i64::MAX` where there are more.
    #[must_use]
    pub fn parts_per_billion_ceil(&self) -> i64 {
        let (parts, rest) = self.parts_per_billion();
        i64::try_from(parts)
            .unwrap_or(i64::MAX)
            .saturating_add(i64::from(rest != 0))
    }

    /// Whole parts per billion and what is left of them.
    fn parts_per_billion(&self) -> (i128, i128) {
        // INVARIANT: a mantissa has 96 bits and 10^9 has 30, so their product fits; a scale is at most 28.
        let parts = self.0.mantissa().saturating_mul(1_000_000_000);
        let power = 10_i128.saturating_pow(self.0.scale());
        (parts / power, parts % power)
    }
}

/// `a × b` as (high, low) 128-bit halves.
fn widening(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a0 * b0;
    let middle = (a1 * b0).wrapping_add(low >> 64);
    let middle_low = (a0 * b1).wrapping_add(middle & LOW);
    let high = (a1 * b1)
        .wrapping_add(middle >> 64)
        .wrapping_add(middle_low >> 64);
    (high, (middle_low << 64) | (low & LOW))
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::str::FromStr for Decimal {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DecimalError(text.chars().take(40).collect());
        let plain = !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && text.bytes().next().is_some_and(|b| b.is_ascii_digit())
            && text.bytes().last().is_some_and(|b| b.is_ascii_digit());
        if !plain {
            return Err(error());
        }
        Inner::from_str_exact(text)
            .map(|d| Self(d.normalize()))
            .map_err(|_| error())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Decimal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Decimal".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_compared_exactly_and_equal_passes() {
        let limit: Decimal = "0.05".parse().unwrap();
        assert!(limit.admits(1, 20));
        assert!(limit.admits(62, 1240));
        assert!(!limit.admits(63, 1240));
        assert!(!limit.admits(0, 0));
        let third: Decimal = "0.3333333333333333333333333333".parse().unwrap();
        assert!(!third.admits(u64::MAX / 3 + 1, u64::MAX));
    }

    #[test]
    fn parts_per_billion_are_rounded_to_the_side_asked_for() {
        for (text, floor, ceil) in [
            ("0", 0, 0),
            ("0.05", 50_000_000, 50_000_000),
            ("1", 1_000_000_000, 1_000_000_000),
            ("0.000000001", 1, 1),
            ("0.0000000011", 1, 2),
            ("0.3333333333333333333333333333", 333_333_333, 333_333_334),
            ("79228162514264337593543950335", i64::MAX, i64::MAX),
        ] {
            let decimal: Decimal = text.parse().unwrap();
            assert_eq!(decimal.parts_per_billion_floor(), floor, "{text}");
            assert_eq!(decimal.parts_per_billion_ceil(), ceil, "{text}");
        }
    }

    #[test]
    fn equal_values_have_one_form() {
        assert_eq!("0.050".parse::<Decimal>().unwrap().to_string(), "0.05");
        assert_eq!("5.00".parse::<Decimal>().unwrap().to_string(), "5");
        for bad in ["", ".5", "5.", "-1", "1e3", "1_000", "0.0.1", "+1", " 1"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
    }
}
