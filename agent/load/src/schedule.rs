//! When requests are to be sent, as a pure function of their number. No clock.
//!
//! A rate over time has an integral, the number of requests that are due by then; a request's time is where that integral
//! reaches its number. Evenly spaced requests have the numbers 0, 1, 2 …; those of a Poisson process have the partial sums
//! of exponential distances instead (Cinlar 1975, "Introduction to Stochastic Processes", 4.7: a unit-rate process is
//! stretched by the inverse of the integral).

use std::time::Duration;

/// Intended times of the requests 0, 1, 2 … relative to the start.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Evenly, `rate` a second.
    Constant {
        /// Requests a second, above 0.
        rate: f64,
    },
    /// From the rate `from` to the rate `to`, changing evenly over `over`; `to` from then on.
    Ramp {
        /// Requests a second at the start, 0 or more.
        from: f64,
        /// Requests a second at the end.
        to: f64,
        /// How long the change takes.
        over: Duration,
    },
    /// One stage after another; the last rate of the last one from then on.
    Stages(Vec<Stage>),
    /// At random moments that do not know of each other, as requests of many independent users come.
    Poisson {
        /// The rate.
        mean: Box<Self>,
        /// The same seed gives the same moments.
        seed: u64,
    },
}

/// A part of a schedule, in which the rate changes evenly; or not at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Requests a second at its start.
    pub from: f64,
    /// Requests a second at its end.
    pub to: f64,
    /// How long it lasts.
    pub over: Duration,
}

/// Times beyond this are cut: a century is longer than any load.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Schedule {
    /// The intended times in order. They never decrease, and each is worked out anew, so that no error adds up.
    pub fn times(&self) -> Times<'_> {
        let random = match self {
            Self::Poisson { seed, .. } => Some(Random(*seed)),
            Self::Constant { .. } | Self::Ramp { .. } | Self::Stages(_) => None,
        };
        Times { schedule: self, number: 0, due: 0.0, random }
    }

    /// When so many requests are due.
    fn reaches(&self, due: f64) -> Duration {
        let seconds = match self {
            Self::Constant { rate } => due / rate,
            Self::Ramp { from, to, over } => staged(&[Stage { from: *from, to: *to, over: *over }], due),
            Self::Stages(stages) => staged(stages, due),
            Self::Poisson { mean, .. } => return mean.reaches(due),
        };
        Duration::try_from_secs_f64(seconds).map_or(LONGEST, |at| at.min(LONGEST))
    }

    /// The highest rate, in requests a second.
    pub(crate) fn peak(&self) -> f64 {
        self.rates().into_iter().fold(0.0, f64::max)
    }

    /// The rate in the end, in requests a second.
    pub(crate) fn last(&self) -> f64 {
        self.rates().last().copied().unwrap_or_default()
    }

    fn rates(&self) -> Vec<f64> {
        match self {
            Self::Constant { rate } => vec![*rate],
            Self::Ramp { from, to, .. } => vec![*from, *to],
            Self::Stages(stages) => stages.iter().flat_map(|stage| [stage.from, stage.to]).collect(),
            Self::Poisson { mean, .. } => mean.rates(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let rates = self.rates();
        if rates.is_empty() {
            return Err("its schedule has no stages".to_owned());
        }
        match rates.iter().find(|rate| !rate.is_finite() || **rate < 0.0) {
            Some(rate) => Err(format!("its rate must not be below 0 requests a second, got {rate}")),
            None if self.peak() == 0.0 => Err("its rate must be above 0 requests a second, got 0".to_owned()),
            None => Ok(()),
        }
    }
}

/// The intended times of a schedule, in order. Never ends.
#[derive(Clone, Debug)]
pub struct Times<'a> {
    schedule: &'a Schedule,
    number: u64,
    /// How much of the integral lies before the next request, if its distance is random.
    due: f64,
    random: Option<Random>,
}

impl Iterator for Times<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let due = match &mut self.random {
            None => self.number as f64,
            Some(random) => {
                self.due += random.exponential();
                self.due
            }
        };
        self.number += 1;
        Some(self.schedule.reaches(due))
    }

    /// Evenly spaced times are reached without working out those before.
    fn nth(&mut self, n: usize) -> Option<Duration> {
        match &mut self.random {
            None => self.number += n as u64,
            Some(random) => (0..n).for_each(|_| self.due += random.exponential()),
        }
        self.next()
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    /// Evenly distributed over [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }

    /// With mean 1, by inversion of the distribution.
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

/// When `due` requests are due by these stages.
fn staged(stages: &[Stage], mut due: f64) -> f64 {
    let mut begun = 0.0;
    for stage in stages {
        let seconds = stage.over.as_secs_f64();
        let during = (stage.from + stage.to) / 2.0 * seconds;
        if due < during {
            return begun + within(stage.from, stage.to, seconds, due);
        }
        due -= during;
        begun += seconds;
    }
    begun + due / stages.last().map_or(1.0, |stage| stage.to)
}

/// Solves `from·t + (to − from)·t²/(2·over) = due` for `t`: the inverse of the rate's integral, in the form that loses no
/// digits when both rates are nearly equal.
fn within(from: f64, to: f64, over: f64, due: f64) -> f64 {
    // From a rate of 0 the first request is due at once, and 0/0 would say never.
    if due <= 0.0 {
        return 0.0;
    }
    let slope = (to - from) / over;
    2.0 * due / (from + (from * from + 2.0 * slope * due).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(schedule: &Schedule, k: usize) -> f64 {
        schedule.times().nth(k).unwrap().as_secs_f64()
    }

    fn stage(from: f64, to: f64, seconds: u64) -> Stage {
        Stage { from, to, over: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_constant_rate_does_not_drift() {
        let schedule = Schedule::Constant { rate: 3.0 };
        assert_eq!(schedule.times().next(), Some(Duration::ZERO));
        assert_eq!(schedule.times().nth(3_000_000_000), Some(Duration::from_secs(1_000_000_000)));
    }

    #[test]
    fn a_ramp_sends_the_integral_of_its_rate() {
        let schedule = Schedule::Ramp { from: 10.0, to: 30.0, over: Duration::from_secs(10) };
        // (10 + 30) / 2 · 10 = 200 requests in the ramp, then 30 a second.
        assert!((at(&schedule, 200) - 10.0).abs() < 1e-9);
        assert!((at(&schedule, 230) - 11.0).abs() < 1e-9);
        let flat = Schedule::Ramp { from: 20.0, to: 20.0, over: Duration::from_secs(10) };
        assert!((at(&flat, 100) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn stages_follow_one_another() {
        let steps = Schedule::Stages(vec![stage(10.0, 10.0, 2), stage(50.0, 50.0, 1), stage(5.0, 5.0, 1)]);
        for (k, seconds) in [(10, 1.0), (20, 2.0), (45, 2.5), (70, 3.0), (75, 4.0), (80, 5.0)] {
            assert!((at(&steps, k) - seconds).abs() < 1e-9, "{k}");
        }
        assert_eq!(steps.peak(), 50.0);
        assert!(Schedule::Stages(Vec::new()).validate().is_err());
        assert!(Schedule::Stages(vec![stage(10.0, -1.0, 1)]).validate().is_err());
        assert!(Schedule::Stages(vec![stage(0.0, 0.0, 1)]).validate().is_err());
    }

    #[test]
    fn a_rate_of_zero_is_a_start_an_end_or_a_rest() {
        let schedule = Schedule::Stages(vec![stage(0.0, 10.0, 2), stage(0.0, 0.0, 5), stage(10.0, 0.0, 2)]);
        assert!(schedule.validate().is_ok());
        assert_eq!(schedule.times().next(), Some(Duration::ZERO));
        // 5t²/2 = 2.5 after one second; ten requests in the first stage, ten in the last.
        for (k, seconds) in [(10, 7.0), (15, 7.0 + 2.0 - 2f64.sqrt())] {
            assert!((at(&schedule, k) - seconds).abs() < 1e-9, "{k}: {}", at(&schedule, k));
        }
        assert_eq!(schedule.times().nth(21), Some(LONGEST));
    }

    #[test]
    fn random_distances_are_exponential_and_the_same_for_a_seed() {
        let poisson = |seed| Schedule::Poisson { mean: Box::new(Schedule::Constant { rate: 100.0 }), seed };
        let times: Vec<f64> = poisson(7).times().take(20_000).map(|at| at.as_secs_f64()).collect();
        let distances: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        let variance = distances.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / distances.len() as f64;
        // Mean and deviation of an exponential distribution are both 1/rate; four standard errors of 20,000 samples.
        assert!((mean - 0.01).abs() < 0.000_3, "{mean}");
        assert!((variance.sqrt() - 0.01).abs() < 0.000_5, "{variance}");
        assert!(poisson(7).times().take(100).eq(poisson(7).times().take(100)));
        assert!(!poisson(7).times().take(100).eq(poisson(8).times().take(100)));
    }

    fn schedules() -> impl Strategy<Value = Schedule> {
        let rate = 0.1f64..1e5;
        let stages = prop::collection::vec((rate.clone(), rate.clone(), 0u64..100), 1..5);
        let even = prop_oneof![
            rate.prop_map(|rate| Schedule::Constant { rate }),
            stages.prop_map(|stages| Schedule::Stages(stages.into_iter().map(|(a, b, s)| stage(a, b, s)).collect())),
        ];
        (even, any::<Option<u64>>()).prop_map(|(even, seed)| match seed {
            Some(seed) => Schedule::Poisson { mean: Box::new(even), seed },
            None => even,
        })
    }

    proptest! {
        #[test]
        fn times_never_decrease(schedule in schedules(), skipped in 0usize..5_000) {
            let times: Vec<Duration> = schedule.times().skip(skipped).take(50).collect();
            prop_assert!(times.is_sorted());
        }

        #[test]
        fn skipping_changes_nothing(schedule in schedules(), n in 0usize..200) {
            let one_by_one: Vec<Duration> = schedule.times().take(n + 1).collect();
            prop_assert_eq!(schedule.times().nth(n), one_by_one.last().copied());
        }
    }
}
