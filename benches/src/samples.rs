//! Times, all of them kept: a percentile is read from every sample, never from buckets.

use std::time::Duration;

/// What was measured, in microseconds.
#[derive(Debug, Default)]
pub struct Samples {
    micros: Vec<u64>,
    sorted: bool,
}

impl Samples {
    /// Room for this many.
    pub fn with_capacity(count: usize) -> Self {
        Self { micros: Vec::with_capacity(count), sorted: true }
    }

    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        self.micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.sorted = false;
    }

    /// Adds all of another's.
    pub fn join(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.sorted = false;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.micros.len()
    }

    /// The smallest sample that `percent` of all do not exceed, in milliseconds; not a number when
    /// there is none.
    pub fn percentile(&mut self, percent: f64) -> f64 {
        if !self.sorted {
            self.micros.sort_unstable();
            self.sorted = true;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a length that fits in memory"
        )]
        let rank = (percent / 100.0 * self.micros.len() as f64).ceil().max(1.0) as usize;
        #[expect(clippy::cast_precision_loss, reason = "microseconds below 285 years are exact")]
        self.micros.get(rank - 1).map_or(f64::NAN, |micros| *micros as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut samples = Samples::with_capacity(0);
        assert!(samples.percentile(50.0).is_nan());
        for millis in (1..=100).rev() {
            samples.add(Duration::from_millis(millis));
        }
        let mut more = Samples::default();
        more.add(Duration::from_secs(1));
        assert!((samples.percentile(50.0) - 50.0).abs() < 1e-9);
        assert!((samples.percentile(99.0) - 99.0).abs() < 1e-9);
        samples.join(more);
        assert!((samples.percentile(100.0) - 1_000.0).abs() < 1e-9);
        assert_eq!(samples.len(), 101);
    }
}
