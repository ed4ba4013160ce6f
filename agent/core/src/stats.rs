//! Confidence intervals for what iter8 measures, each with the source of its formula. Nothing here decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF as _, DiscreteCDF as _, Normal};

/// The confidence level of intervals when nobody asked for another.
pub const DEFAULT_CONFIDENCE: f64 = 0.95;

/// Where a true value lies at a stated confidence. A missing end means that the samples set no bound there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Upper end, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
}

impl Interval {
    /// An interval with both ends.
    pub const fn new(lower: f64, upper: f64) -> Self {
        Self { lower: Some(lower), upper: Some(upper) }
    }
}

/// The quantile of the standard normal distribution that leaves `(1 - confidence) / 2` on each side; 1.96 for 0.95.
/// `confidence` lies strictly between 0 and 1.
pub fn normal_quantile(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(0.5 + confidence.clamp(0.0, 1.0 - 1e-12) / 2.0)
}

/// Interval of a proportion of `events` among `trials`: the score interval of Wilson, E. B. (1927), "Probable
/// inference, the law of succession, and statistical inference", JASA 22, 209–212. None without trials.
pub fn proportion(events: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let (n, z) = (trials as f64, normal_quantile(confidence));
    let p = events.min(trials) as f64 / n;
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // Without events (or without anything else) the end is known exactly; rounding must not say otherwise.
    let lower = if events == 0 { 0.0 } else { ((centre - half) / scale).max(0.0) };
    let upper = if events >= trials { 1.0 } else { ((centre + half) / scale).min(1.0) };
    Some(Interval::new(lower, upper))
}

/// Interval of a mean by the normal approximation: mean ± z · s/√n with the sample standard deviation `s`.
/// None below two samples, where no deviation is known.
pub fn mean(mean: f64, sample_stddev: f64, samples: u64, confidence: f64) -> Option<Interval> {
    if samples < 2 {
        return None;
    }
    let half = normal_quantile(confidence) * sample_stddev / (samples as f64).sqrt();
    Some(Interval::new(mean - half, mean + half))
}

/// Ranks (from 1) of the two order statistics that enclose the quantile `q` (0 < q < 1) of `samples` ordered values:
/// the distribution-free interval of David & Nagaraja, "Order Statistics" (2003), section 7.1, by the binomial
/// distribution of the number of values below the quantile. An end is None where no sample bounds it.
pub fn quantile_ranks(q: f64, samples: u64, confidence: f64) -> (Option<u64>, Option<u64>) {
    let Ok(below) = Binomial::new(q, samples) else { return (None, None) };
    if samples == 0 {
        return (None, None);
    }
    let tail = (1.0 - confidence) / 2.0;
    // The largest l with P(B < l) ≤ tail, and the smallest u with P(B < u) ≥ 1 - tail.
    let lower = first_where(samples, |k| below.cdf(k) > tail);
    let upper = first_where(samples, |k| below.cdf(k) >= 1.0 - tail) + 1;
    ((lower >= 1).then_some(lower), (upper <= samples).then_some(upper))
}

/// The smallest `k` in `0..=n` for which the monotone `holds` is true.
fn first_where(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// How many samples the quantile `q` needs so that at least one is expected beyond it: n · (1 − q) ≥ 1, and for
/// quantiles below the median n · q ≥ 1. A p99 needs 100, a p99.9 needs 1,000.
pub fn samples_needed(q: f64) -> u64 {
    // The tiny allowance undoes the rounding of 1 - 0.99.
    (1.0 / (1.0 - q).min(q) - 1e-6).ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: Option<f64>, b: f64) {
        let a = a.expect("has this end");
        assert!((a - b).abs() < 1e-7, "{a} is not {b}");
    }

    #[test]
    fn proportions_agree_with_scipy() {
        // scipy.stats.binomtest(k, n).proportion_ci(confidence_level, method="wilson"), SciPy 1.17.1.
        for (k, n, confidence, lower, upper) in [
            (0, 10, 0.95, 0.0, 0.277_532_799_9),
            (10, 10, 0.95, 0.722_467_200_1, 1.0),
            (5, 200, 0.95, 0.010_724_719_7, 0.057_178_340_4),
            (81, 263, 0.95, 0.255_288_519_9, 0.366_209_577_0),
        ] {
            let interval = proportion(k, n, confidence).unwrap();
            close(interval.lower, lower);
            close(interval.upper, upper);
        }
        assert_eq!(proportion(0, 0, 0.95), None);
    }

    #[test]
    fn normal_quantiles_are_the_published_ones() {
        close(Some(normal_quantile(0.90)), 1.644_853_6);
        close(Some(normal_quantile(0.95)), 1.959_964_0);
        close(Some(normal_quantile(0.99)), 2.575_829_3);
    }

    #[test]
    fn means_need_two_samples() {
        assert_eq!(mean(5.0, 0.0, 1, 0.95), None);
        let interval = mean(10.0, 2.0, 100, 0.95).unwrap();
        close(interval.lower, 10.0 - 0.391_992_8);
        close(interval.upper, 10.0 + 0.391_992_8);
    }

    #[test]
    fn median_ranks_are_those_of_the_published_table() {
        // Conover, Practical Nonparametric Statistics, table of 95 % intervals of the median.
        for (n, lower, upper) in [(6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33)] {
            assert_eq!(quantile_ranks(0.5, n, 0.95), (Some(lower), Some(upper)), "n = {n}");
        }
    }

    #[test]
    fn ranks_agree_with_scipy() {
        // l = scipy.stats.binom.ppf(0.025, n, q) and u = binom.ppf(0.975, n, q) + 1, SciPy 1.17.1.
        for (n, q, lower, upper) in [(200, 0.95, 184, 197), (1_000, 0.99, 983, 997), (100_000, 0.999, 99_880, 99_920)] {
            assert_eq!(quantile_ranks(q, n, 0.95), (Some(lower), Some(upper)), "n = {n}, q = {q}");
        }
    }

    #[test]
    fn a_high_quantile_of_few_samples_has_no_upper_end() {
        let (lower, upper) = quantile_ranks(0.99, 100, 0.95);
        assert!(lower.is_some());
        assert_eq!(upper, None);
        assert_eq!(quantile_ranks(0.5, 0, 0.95), (None, None));
    }

    #[test]
    fn sample_needs_are_those_of_the_documentation() {
        for (q, needed) in [(0.5, 2), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000), (0.01, 100)] {
            assert_eq!(samples_needed(q), needed, "{q}");
        }
    }

    proptest! {
        #[test]
        fn proportion_intervals_enclose_the_proportion(n in 1u64..100_000, share in 0.0f64..=1.0, confidence in 0.5f64..0.999) {
            let k = (n as f64 * share) as u64;
            let interval = proportion(k, n, confidence).unwrap();
            let p = k as f64 / n as f64;
            prop_assert!(interval.lower.unwrap() <= p + 1e-12 && p <= interval.upper.unwrap() + 1e-12);
        }

        #[test]
        fn quantile_ranks_enclose_the_quantile(n in 1u64..5_000, q in 0.01f64..0.999) {
            let (lower, upper) = quantile_ranks(q, n, 0.95);
            let rank = q * n as f64;
            if let Some(lower) = lower { prop_assert!(lower as f64 <= rank + 1.0); }
            if let Some(upper) = upper { prop_assert!(upper as f64 >= rank); prop_assert!(upper <= n); }
        }
    }
}
