//! Time as the store keeps it: whole microseconds since 1970, UTC. RFC 3339 towards people.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{Timestamp as Instant, civil, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment, in microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This moment moved forward; saturates at the end of time.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This moment moved by a signed number of microseconds.
    pub const fn shifted(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The UTC calendar day of this moment.
    pub fn day(self) -> Day {
        let instant = Instant::from_microsecond(self.0).unwrap_or(Instant::MAX);
        Day(instant.to_zoned(TimeZone::UTC).date())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Instant::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant:.6}"),
            Err(_) => f.write_str("9999-12-30T22:00:00.999999Z"),
        }
    }
}

/// A text that is not an RFC 3339 moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time")]
pub struct TimeInvalid;

impl FromStr for Timestamp {
    type Err = TimeInvalid;
    fn from_str(text: &str) -> Result<Self, TimeInvalid> {
        let instant: Instant = text.parse().map_err(|_| TimeInvalid)?;
        Ok(Self(instant.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A UTC calendar day, written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String, format = Date)]
pub struct Day(civil::Date);

impl Day {
    /// The first moment of the day after this one: when something valid through this day ends.
    pub fn end(self) -> Timestamp {
        let next = self.0.tomorrow().unwrap_or(civil::Date::MAX);
        let midnight = next.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        Timestamp(midnight.unwrap_or(Instant::MAX).as_microsecond())
    }

    /// Days since 1970-01-01: how columns hold it.
    pub fn number(self) -> i64 {
        self.end().micros() / MICROS_OF_DAY - 1
    }

    /// The day with this number.
    pub fn from_number(number: i64) -> Self {
        Timestamp(number.saturating_mul(MICROS_OF_DAY)).day()
    }
}

const MICROS_OF_DAY: i64 = 86_400_000_000;

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is not a calendar day written `YYYY-MM-DD`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a calendar day written YYYY-MM-DD")]
pub struct DayInvalid;

impl FromStr for Day {
    type Err = DayInvalid;
    fn from_str(text: &str) -> Result<Self, DayInvalid> {
        // jiff would also take a time behind the day; a day is exactly ten characters.
        let shape = |(at, byte): (usize, u8)| {
            if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() }
        };
        if text.len() != 10 || !text.bytes().enumerate().all(shape) {
            return Err(DayInvalid);
        }
        text.parse().map(Self).map_err(|_| DayInvalid)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_moment_is_written_with_six_decimals_in_utc() {
        let moment = Timestamp::from_micros(1_795_232_581_000_250);
        assert_eq!(moment.to_string(), "2026-11-21T03:43:01.000250Z");
        assert_eq!("2026-11-21T04:43:01.00025+01:00".parse(), Ok(moment));
    }

    // P64: a day ends at the next UTC midnight, and only real calendar days are days.
    #[test]
    fn a_day_is_a_real_calendar_day_and_ends_at_utc_midnight() {
        let day: Day = "2028-02-29".parse().unwrap();
        assert_eq!(day.end().to_string(), "2028-03-01T00:00:00.000000Z");
        assert_eq!(day.end().shifted(-1).day(), day);
        assert_eq!((day.number(), Day::from_number(day.number())), (21_243, day));
        for wrong in ["2027-02-29", "2027-2-1", "2027-01-01T00:00:00Z", "tomorrow", "", "2027-13-01", "２０２７-01-01"]
        {
            assert_eq!(wrong.parse::<Day>(), Err(DayInvalid), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_a_moment_keeps_it(micros in 0i64..4_000_000_000_000_000) {
            let moment = Timestamp::from_micros(micros);
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }
}
