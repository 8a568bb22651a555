//! Whether a request is made again, and when (S82, S83, X14): a pure function of what happened so far.

use std::time::Duration;

use jiff::fmt::rfc2822;

use super::class::Class;
use crate::time::Timestamp;

/// A wait up to this long is waited where the request is; a longer one gives the slot back.
pub const WAIT_IN_PLACE: Duration = Duration::from_secs(60);
/// How much a wait may be longer than it is worked out to be, so that many do not come back at once.
const JITTER: f64 = 0.2;

/// How a provider is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Further requests after errors that pass.
    pub max: u32,
    /// Further requests after "wait".
    pub rate_limit_max: u32,
    /// The first wait.
    pub base: Duration,
    /// The longest.
    pub cap: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max: 3, rate_limit_max: 8, base: Duration::from_secs(1), cap: Duration::from_secs(120) }
    }
}

/// What went wrong with one request so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Errors that pass.
    pub passing: u32,
    /// Times it was told to wait.
    pub rate_limited: u32,
}

impl Tries {
    /// Requests made.
    pub const fn all(self) -> u32 {
        self.passing + self.rate_limited
    }
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The request is made again after this wait.
    Again(Duration),
    /// It can be made again after this wait, but not from here: the slot is given back.
    Later(Duration),
    /// It is over.
    Over,
}

impl Retry {
    /// What follows one more error. `jitter` is a random number from 0 to 1, `said` how long the provider says to wait.
    pub fn next(&self, class: Class, tries: &mut Tries, said: Option<Duration>, jitter: f64) -> Next {
        if !class.is_passing() {
            return Next::Over;
        }
        if class == Class::RateLimited {
            tries.rate_limited += 1;
            // Where nobody says how long, it is waited in place.
            let wait = said.unwrap_or_else(|| self.wait(tries.rate_limited, jitter).min(WAIT_IN_PLACE));
            return if wait > WAIT_IN_PLACE {
                Next::Later(wait)
            } else if tries.rate_limited > self.rate_limit_max {
                Next::Over
            } else {
                Next::Again(wait)
            };
        }
        tries.passing += 1;
        if tries.passing > self.max {
            return Next::Over;
        }
        // What the provider says is kept to, as far as it is a wait at all.
        Next::Again(said.map_or_else(|| self.wait(tries.passing, jitter), |said| said.min(self.cap)))
    }

    fn wait(&self, number: u32, jitter: f64) -> Duration {
        let full = self.base.saturating_mul(2u32.saturating_pow(number.saturating_sub(1))).min(self.cap);
        full.mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0)).min(self.cap)
    }
}

/// How long a provider says to wait, in a `Retry-After`: seconds, or a date.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && (0.0..=1e9).contains(&seconds)).then(|| Duration::from_secs_f64(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?.as_microsecond();
    Some(Duration::from_micros(u64::try_from(at.saturating_sub(now.micros())).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn waits(class: Class, said: Option<Duration>) -> Vec<Next> {
        let (retry, mut tries) = (Retry::default(), Tries::default());
        let mut all = Vec::new();
        for _ in 0..20 {
            all.push(retry.next(class, &mut tries, said, 0.0));
            if all.last() == Some(&Next::Over) {
                break;
            }
        }
        all
    }

    // S82, X14: four requests after errors that pass, nine after "wait", one after all others.
    #[test]
    fn each_class_has_its_requests() {
        use Next::{Again, Later, Over};
        for class in [Class::ServerError, Class::Timeout, Class::Network, Class::InvalidResponse] {
            assert_eq!(waits(class, None), [Again(secs(1)), Again(secs(2)), Again(secs(4)), Over], "{class:?}");
        }
        let limited = waits(Class::RateLimited, Some(secs(7)));
        assert_eq!((limited.len(), limited[0], limited[8]), (9, Again(secs(7)), Over));
        assert_eq!(waits(Class::RateLimited, Some(secs(61)))[0], Later(secs(61)));
        assert_eq!(waits(Class::RateLimited, Some(secs(60)))[0], Again(secs(60)));
        // Unsaid, it grows up to a minute.
        assert_eq!(
            waits(Class::RateLimited, None)[4..],
            [16, 32, 60, 60].map(|wait| Again(secs(wait))).into_iter().chain([Over]).collect::<Vec<_>>()
        );
        assert_eq!(waits(Class::ServerError, Some(secs(500)))[0], Again(secs(120)));
        for class in Class::ALL.iter().filter(|class| !class.is_passing()) {
            assert_eq!(waits(*class, Some(secs(1))), [Over], "{class:?}");
        }
    }

    #[test]
    fn jitter_adds_a_fifth_at_most() {
        let (retry, mut tries) = (Retry::default(), Tries::default());
        assert_eq!(retry.next(Class::Network, &mut tries, None, 1.0), Next::Again(Duration::from_millis(1_200)));
        assert_eq!(retry.next(Class::Network, &mut tries, None, 7.0), Next::Again(Duration::from_millis(2_400)));
    }

    // S83
    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = Timestamp::from_micros(1_445_412_480_000_000);
        for (text, wait) in [
            ("7", Some(secs(7))),
            (" 0.5 ", Some(Duration::from_millis(500))),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(secs(30))),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(secs(0))),
            ("-1", None),
            ("NaN", None),
            ("1e300", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), wait, "{text}");
        }
    }
}
