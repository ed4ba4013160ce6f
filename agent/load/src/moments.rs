//! Count, mean, deviation, smallest and largest of times, exact beyond what a histogram keeps.

use std::time::Duration;

/// Running moments in milliseconds, by Welford's method; merged by Chan, Golub & LeVeque (1979), "Updating formulae and a
/// pairwise algorithm for computing sample variances".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Moments {
    /// Takes in a time.
    #[inline]
    pub fn record(&mut self, time: Duration) {
        let millis = time.as_secs_f64() * 1e3;
        if self.count == 0 {
            (self.min, self.max) = (millis, millis);
        }
        self.count += 1;
        let difference = millis - self.mean;
        self.mean += difference / self.count as f64;
        self.squares += difference * (millis - self.mean);
        self.min = self.min.min(millis);
        self.max = self.max.max(millis);
    }

    /// Takes in what another saw.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let difference = other.mean - self.mean;
        self.count += other.count;
        self.mean += difference * b / (a + b);
        self.squares += other.squares + difference * difference * a * b / (a + b);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many times were seen.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Mean in milliseconds; None without times.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Sample standard deviation in milliseconds; None below two times.
    pub fn stddev(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).max(0.0).sqrt())
    }

    /// The smallest in milliseconds.
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest in milliseconds.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
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

    proptest! {
        #[test]
        fn merging_is_like_seeing_everything(a in prop::collection::vec(1u64..10_000_000, 0..50), b in prop::collection::vec(1u64..10_000_000, 0..50)) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let whole = of(&[a, b].concat());
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert_eq!((merged.min(), merged.max()), (whole.min(), whole.max()));
            let close = |x: Option<f64>, y: Option<f64>| x.zip(y).is_none_or(|(x, y)| (x - y).abs() <= 1e-9 * y.abs().max(1.0));
            prop_assert!(close(merged.mean(), whole.mean()) && close(merged.stddev(), whole.stddev()));
        }
    }
}
