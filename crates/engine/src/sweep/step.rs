//! Telling a wall clock that was set from time that passed (X62, F12).

use std::time::Duration;

use model::time::Timestamp;

use crate::Engine;

/// A wall clock that moved this much more or less than the monotonic one was set, not slow.
const STEP: i64 = 2_000_000;

/// Compares wall and monotonic time between two looks.
pub(crate) struct StepWatch {
    wall: Timestamp,
    elapsed: Duration,
}

impl StepWatch {
    pub(crate) fn start(engine: &Engine) -> Self {
        Self { wall: engine.now(), elapsed: engine.clock().elapsed() }
    }

    /// By how many microseconds the wall clock was set since the last look; 0 for none.
    pub(super) fn look(&mut self, wall: Timestamp, elapsed: Duration) -> i64 {
        let passed = i64::try_from(elapsed.saturating_sub(self.elapsed).as_micros()).unwrap_or(i64::MAX);
        let step = (wall.micros() - self.wall.micros()).saturating_sub(passed);
        (self.wall, self.elapsed) = (wall, elapsed);
        if step.abs() > STEP { step } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // F12, X62
    #[test]
    fn only_a_set_clock_is_a_step() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut watch = StepWatch { wall: at(1_000), elapsed: Duration::from_secs(10) };
        assert_eq!(watch.look(at(1_001), Duration::from_secs(11)), 0);
        assert_eq!(watch.look(at(1_001 + 3_601), Duration::from_secs(12)), 3_600_000_000);
        assert_eq!(watch.look(at(1_001 + 3_602), Duration::from_secs(13)), 0, "told once");
        assert_eq!(watch.look(at(1_004), Duration::from_secs(14)), -3_600_000_000);
        assert_eq!(watch.look(at(1_064), Duration::from_secs(74)), 0, "a suspended sweep is no step");
    }
}
