//! Times as people say them: `3 min ago`, `1 min 12 s`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::time::Timestamp;

/// This machine's time. Only used to say how long ago something was.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How long ago an RFC 3339 time is; the text itself where it is none.
pub fn ago(text: &str, now: Timestamp) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
    let seconds = now.since(at).as_secs();
    match seconds {
        0..=4 => "just now".to_owned(),
        5..=59 => format!("{seconds} s ago"),
        60..=3_599 => format!("{} min ago", seconds / 60),
        3_600..=86_399 => format!("{} h ago", seconds / 3_600),
        86_400..=2_591_999 => format!("{} d ago", seconds / 86_400),
        _ => at.day().to_string(),
    }
}

/// How long it took.
pub fn duration(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0 => format!("{} ms", took.as_millis()),
        1..=9 => format!("{:.1} s", took.as_secs_f64()),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A running clock: `00:12`.
pub fn clock(running: Duration) -> String {
    let seconds = running.as_secs();
    match seconds {
        0..=3_599 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3_600, seconds % 3_600 / 60, seconds % 60),
    }
}

/// The time between two RFC 3339 times, where both are such.
pub fn between(from: &str, to: &str) -> Option<Duration> {
    Some(to.parse::<Timestamp>().ok()?.since(from.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_say_them() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, said) in [
            ("2026-11-21T11:59:58Z", "just now"),
            ("2026-11-21T12:00:07Z", "just now"),
            ("2026-11-21T11:59:15Z", "45 s ago"),
            ("2026-11-21T11:01:00Z", "59 min ago"),
            ("2026-11-20T13:00:00Z", "23 h ago"),
            ("2026-11-01T12:00:00Z", "20 d ago"),
            ("2025-02-01T12:00:00Z", "2025-02-01"),
            ("soon", "soon"),
        ] {
            assert_eq!(ago(text, now), said);
        }
        for (millis, said) in
            [(12, "12 ms"), (1_240, "1.2 s"), (45_000, "45 s"), (72_000, "1 min 12 s"), (7_260_000, "2 h 1 min")]
        {
            assert_eq!(duration(Duration::from_millis(millis)), said);
        }
        assert_eq!(
            (clock(Duration::from_secs(72)), clock(Duration::from_secs(3_672))),
            ("01:12".into(), "1:01:12".into())
        );
        assert_eq!(between("2026-11-21T11:59:58Z", "2026-11-21T12:00:00Z"), Some(Duration::from_secs(2)));
    }
}
