//! Count, mean, deviation, smallest and largest of times, exact beyond what a histogram keeps.

use std::time::Duration;

/// Sums over times, in whole nanoseconds: whatever the order in which times are taken in and moments merged, every digit is
/// the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    count: u64,
    sum: u128,
    squares: u128,
    min: u64,
    max: u64,
}

const NANOS_PER_MILLI: f64 = 1e6;

impl Moments {
    /// Takes in a time.
    #[inline]
    pub fn record(&mut self, time: Duration) {
        // In 64 bits, which is 584 years, because this is done for each request.
        let nanos = time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()));
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.count += 1;
        self.sum += u128::from(nanos);
        self.squares += u128::from(nanos) * u128::from(nanos);
    }

    /// Takes in what another saw.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// How many times were seen.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Mean in milliseconds; None without times.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64 / NANOS_PER_MILLI)
    }

    /// Sample standard deviation in milliseconds; None below two times.
    pub fn stddev(&self) -> Option<f64> {
        let count = u128::from(self.count);
        let (whole, rest) = (self.sum.checked_div(count)?, self.sum.checked_rem(count)?);
        // Squares of the distances from the mean's whole part, in integers, because the difference of two nearly equal
        // sums would lose the digits that matter; then what the rest of the mean takes away.
        let around_whole = self.squares - whole * whole * count - 2 * whole * rest;
        let around_mean = around_whole as f64 - (rest as f64).powi(2) / count as f64;
        (count > 1).then(|| (around_mean.max(0.0) / (count - 1) as f64).sqrt() / NANOS_PER_MILLI)
    }

    /// The smallest in milliseconds.
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min as f64 / NANOS_PER_MILLI)
    }

    /// The largest in milliseconds.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max as f64 / NANOS_PER_MILLI)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: &[u64]) -> Moments {
        let mut moments = Moments::default();
        micros.iter().for_each(|micros| moments.record(Duration::from_micros(*micros)));
        moments
    }

    #[test]
    fn moments_are_those_of_the_definition() {
        let moments = of(&[1_000, 2_000, 3_000, 6_000]);
        assert_eq!((moments.mean(), moments.min(), moments.max()), (Some(3.0), Some(1.0), Some(6.0)));
        assert!((moments.stddev().unwrap() - (14.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(of(&[5]).stddev(), None);
        assert_eq!(Moments::default().mean(), None);
    }

    #[test]
    fn a_small_spread_around_a_large_mean_keeps_its_digits() {
        let hour = 3_600_000_000;
        let moments = of(&[hour, hour + 1, hour + 2]);
        assert_eq!(moments.stddev(), Some(0.001));
        let many = (0..20).fold(moments, |sum, _| {
            let mut twice = sum;
            twice.merge(&sum);
            twice
        });
        assert!((many.stddev().unwrap() - (2.0f64 / 3.0).sqrt() / 1e3).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn merging_is_like_seeing_everything(a in prop::collection::vec(1u64..10_000_000, 0..50), b in prop::collection::vec(1u64..10_000_000, 0..50)) {
            let mut merged = of(&b);
            merged.merge(&of(&a));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }

        #[test]
        fn mean_and_deviation_are_those_of_the_definition(times in prop::collection::vec(1u64..10_000_000, 2..50)) {
            let moments = of(&times);
            let count = times.len() as f64;
            let mean = times.iter().map(|time| *time as f64 / 1e3).sum::<f64>() / count;
            let squares: f64 = times.iter().map(|time| (*time as f64 / 1e3 - mean).powi(2)).sum();
            let close = |x: f64, y: f64| (x - y).abs() <= 1e-9 * y.max(1.0);
            prop_assert!(close(moments.mean().unwrap(), mean));
            prop_assert!(close(moments.stddev().unwrap(), (squares / (count - 1.0)).sqrt()));
        }
    }
}
