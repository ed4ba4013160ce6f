//! When requests are to be sent, as a pure function of their number. No clock.

use std::time::Duration;

/// Intended times of the requests 0, 1, 2 … relative to the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Evenly, `rate` a second.
    Constant {
        /// Requests a second, above 0.
        rate: f64,
    },
    /// From the rate `from` to the rate `to`, changing evenly over `over`; `to` from then on.
    Ramp {
        /// Requests a second at the start.
        from: f64,
        /// Requests a second at the end.
        to: f64,
        /// How long the change takes.
        over: Duration,
    },
}

/// Times beyond this are cut: a century is longer than any load.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Schedule {
    /// The intended time of request `k`. Never decreases with `k`; computed anew for each `k`, so that no error adds up.
    pub fn at(&self, k: u64) -> Duration {
        let seconds = match *self {
            Self::Constant { rate } => k as f64 / rate,
            Self::Ramp { from, to, over } => ramp(from, to, over.as_secs_f64(), k as f64),
        };
        Duration::try_from_secs_f64(seconds).map_or(LONGEST, |at| at.min(LONGEST))
    }

    /// The highest rate, in requests a second.
    pub(crate) fn peak(&self) -> f64 {
        match *self {
            Self::Constant { rate } => rate,
            Self::Ramp { from, to, .. } => from.max(to),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let rates = match *self {
            Self::Constant { rate } => [rate, rate],
            Self::Ramp { from, to, .. } => [from, to],
        };
        match rates.into_iter().find(|rate| !rate.is_finite() || *rate <= 0.0) {
            Some(rate) => Err(format!("its rate must be above 0 requests a second, got {rate}")),
            None => Ok(()),
        }
    }
}

/// Solves `from·t + (to − from)·t²/(2·over) = k` for `t`, the time at which `k` requests are due: the inverse of the
/// rate's integral, in the form that loses no digits when both rates are nearly equal.
fn ramp(from: f64, to: f64, over: f64, k: f64) -> f64 {
    let during = (from + to) / 2.0 * over;
    if k >= during {
        return over + (k - during) / to;
    }
    let slope = (to - from) / over;
    2.0 * k / (from + (from * from + 2.0 * slope * k).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_constant_rate_does_not_drift() {
        let schedule = Schedule::Constant { rate: 3.0 };
        assert_eq!(schedule.at(0), Duration::ZERO);
        assert_eq!(schedule.at(3_000_000_000), Duration::from_secs(1_000_000_000));
    }

    #[test]
    fn a_ramp_sends_the_integral_of_its_rate() {
        let schedule = Schedule::Ramp { from: 10.0, to: 30.0, over: Duration::from_secs(10) };
        // (10 + 30) / 2 · 10 = 200 requests in the ramp, then 30 a second.
        assert!((schedule.at(200).as_secs_f64() - 10.0).abs() < 1e-9);
        assert!((schedule.at(230).as_secs_f64() - 11.0).abs() < 1e-9);
        let flat = Schedule::Ramp { from: 20.0, to: 20.0, over: Duration::from_secs(10) };
        assert!((flat.at(100).as_secs_f64() - 5.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn times_never_decrease(from in 0.1f64..1e5, to in 0.1f64..1e5, over in 0.1f64..1e3, k in 0u64..1_000_000) {
            let schedule = Schedule::Ramp { from, to, over: Duration::from_secs_f64(over) };
            prop_assert!(schedule.at(k) <= schedule.at(k + 1));
        }
    }
}
