//! Money: one unit in the model, the ledger and sums (X1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in billionths of a US dollar.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct NanoUsd(i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many billionths of a dollar.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// So many dollars, as programs report them; `None` for what is no amount of money.
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        // Past nine billion dollars the unit ends, and long before that it is no report of an agent.
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (dollars.is_finite() && (0.0..=9e9).contains(&dollars)).then(|| Self((dollars * 1e9).round() as i64))
    }

    /// So many dollars as people write them: digits, at most nine of them behind the point. `None` for anything else.
    pub fn from_decimal(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(part) || part.len() > 9 || text.ends_with('.') {
            return None;
        }
        let part: i64 = format!("{part:0<9}").parse().ok()?;
        Some(Self(whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(part)?))
    }

    /// Billionths of a dollar.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Millionths of a dollar, rounded up: for the API and for people.
    pub const fn micros_up(self) -> i64 {
        self.0.saturating_add(999).div_euclid(1_000)
    }

    /// So many millionths of a dollar: how the API takes amounts. `None` for more than the unit holds.
    pub fn from_micros(micros: u64) -> Option<Self> {
        i64::try_from(micros).ok()?.checked_mul(1_000).map(Self)
    }

    /// Dollars as decimal text, exact: for exports.
    pub fn decimal(self) -> String {
        let (sign, nanos) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let text = format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        // Cents are always shown; what is finer only where there is something.
        format!("{whole}.{:0<2}", part.trim_end_matches('0'))
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This less the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.micros_up();
        let sign = if micros < 0 { "-" } else { "" };
        write!(f, "{sign}${}.{:06}", micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // X1: rounded up, and only on output.
    #[test]
    fn amounts_are_whole_and_rounded_up_on_output_only() {
        let reported = NanoUsd::from_dollars(9.999_999_999_999_999e-5).unwrap();
        assert_eq!((reported.nanos(), reported.micros_up()), (100_000, 100));
        let sum = NanoUsd::from_nanos(400).plus(NanoUsd::from_nanos(400));
        assert_eq!((sum.micros_up(), sum.to_string().as_str()), (1, "$0.000001"));
        for (text, nanos) in [
            ("2.50", Some(2_500_000_000)),
            ("0.000000001", Some(1)),
            ("7", Some(7_000_000_000)),
            ("9999999999999", None),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(NanoUsd::from_decimal(text).map(NanoUsd::nanos), nanos, "{text}");
        }
        for (nanos, text) in [
            (0, "0.00"),
            (2_500_000_000, "2.50"),
            (1, "0.000000001"),
            (-1_230_000_000, "-1.23"),
            (7_000_001_000, "7.000001"),
        ] {
            assert_eq!(NanoUsd::from_nanos(nanos).decimal(), text);
        }
        assert_eq!(NanoUsd::from_micros(1_000_000).map(NanoUsd::nanos), Some(1_000_000_000));
        assert_eq!(NanoUsd::from_micros(u64::MAX), None);
        for nonsense in [f64::NAN, f64::INFINITY, -0.01, 1e300] {
            assert_eq!(NanoUsd::from_dollars(nonsense), None, "{nonsense}");
        }
    }
}
