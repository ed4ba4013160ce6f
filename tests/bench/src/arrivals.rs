//! What the times at which a server saw things arrive say: how even they are, and how crowded. Pure.

use serde_json::{Value, json};

/// How near arrivals came to an even schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evenness {
    /// Arrivals a second.
    pub(crate) rate: f64,
    /// Median distance from the even schedule, in microseconds.
    pub(crate) deviation_p50: f64,
    /// 99th percentile of the distances, in microseconds.
    pub(crate) deviation_p99: f64,
    /// The most arrivals in one millisecond.
    pub(crate) most_in_1_ms: u64,
}

/// How connections came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rush {
    pub(crate) count: u64,
    /// The most in ten milliseconds.
    pub(crate) most_in_10_ms: u64,
    /// How long the middle 98 of a hundred took, in milliseconds: one that only tries the server comes before all others.
    pub(crate) span_ms: u64,
}

/// Fewer arrivals than this say nothing of a schedule.
const FEW: usize = 200;

/// Compares `times`, nanoseconds in ascending order, with the even schedule of their own rate that lies nearest to them.
/// The first and the last twentieth are left out: there generators start and end.
pub(crate) fn evenness(times: &[u64]) -> Option<Evenness> {
    if times.len() < FEW {
        return None;
    }
    let cut = times.len() / 20;
    let times = &times[cut..times.len() - cut];
    let first = times[0];
    let step = slope(times);
    let mut offsets: Vec<f64> =
        times.iter().enumerate().map(|(number, time)| (time - first) as f64 - number as f64 * step).collect();
    offsets.sort_by(f64::total_cmp);
    let middle = offsets[offsets.len() / 2];
    let mut deviations: Vec<f64> = offsets.iter().map(|offset| (offset - middle).abs()).collect();
    deviations.sort_by(f64::total_cmp);
    let quantile = |q: f64| deviations[((deviations.len() - 1) as f64 * q) as usize] / 1e3;
    Some(Evenness {
        rate: 1e9 / step,
        deviation_p50: quantile(0.5),
        deviation_p99: quantile(0.99),
        most_in_1_ms: most_within(times, 1_000_000),
    })
}

/// The step of the even schedule that lies nearest to `times`, by least squares: the ends alone would carry their own
/// lateness into it.
fn slope(times: &[u64]) -> f64 {
    let middle = (times.len() - 1) as f64 / 2.0;
    let (above, below) = times.iter().enumerate().fold((0.0, 0.0), |(above, below), (number, time)| {
        let distance = number as f64 - middle;
        (above + distance * (time - times[0]) as f64, below + distance * distance)
    });
    above / below
}

/// How crowded connections came at `times`, nanoseconds in ascending order.
pub(crate) fn rush(times: &[u64]) -> Rush {
    let middle = &times[times.len() / 100..times.len() - times.len() / 100];
    let span = middle.last().zip(middle.first()).map_or(0, |(last, first)| last - first);
    Rush { count: times.len() as u64, most_in_10_ms: most_within(times, 10_000_000), span_ms: span / 1_000_000 }
}

/// The most of the ascending `times` that lie within any stretch of `width`.
fn most_within(times: &[u64], width: u64) -> u64 {
    let mut begin = 0;
    let mut most = 0;
    for (end, time) in times.iter().enumerate() {
        while time - times[begin] >= width {
            begin += 1;
        }
        most = most.max(end + 1 - begin);
    }
    most as u64
}

impl Evenness {
    pub(crate) fn to_json(self) -> Value {
        json!({
            "rate": self.rate,
            "deviationP50": self.deviation_p50,
            "deviationP99": self.deviation_p99,
            "mostIn1Ms": self.most_in_1_ms,
        })
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            rate: value["rate"].as_f64()?,
            deviation_p50: value["deviationP50"].as_f64()?,
            deviation_p99: value["deviationP99"].as_f64()?,
            most_in_1_ms: value["mostIn1Ms"].as_u64()?,
        })
    }
}

impl Rush {
    pub(crate) fn to_json(self) -> Value {
        json!({ "count": self.count, "mostIn10Ms": self.most_in_10_ms, "spanMs": self.span_ms })
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            count: value["count"].as_u64()?,
            most_in_10_ms: value["mostIn10Ms"].as_u64()?,
            span_ms: value["spanMs"].as_u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_schedule_has_no_deviation() {
        let times: Vec<u64> = (0..2000).map(|number| 5_000_000 + number * 500_000).collect();
        let even = evenness(&times).unwrap();
        assert!((even.rate - 2000.0).abs() < 1e-6, "{even:?}");
        assert_eq!((even.deviation_p50, even.deviation_p99, even.most_in_1_ms), (0.0, 0.0, 2));
    }

    #[test]
    fn deviations_are_distances_from_the_schedule_whatever_its_beginning() {
        // Every fourth arrival is 100 µs late.
        let late = |number| if number % 4 == 0 { 100_000 } else { 0 };
        let times: Vec<u64> = (0..4000).map(|number| number * 500_000 + late(number)).collect();
        let even = evenness(&times).unwrap();
        assert!(even.deviation_p50 < 1.0 && (even.deviation_p99 - 100.0).abs() < 1.0, "{even:?}");
    }

    #[test]
    fn bursts_show_as_the_most_within_a_millisecond() {
        let times: Vec<u64> = (0..2000).map(|number| number / 50 * 25_000_000).collect();
        assert_eq!(evenness(&times).unwrap().most_in_1_ms, 50);
        assert_eq!(evenness(&times[..FEW - 1]), None);
    }

    #[test]
    fn a_rush_is_the_most_connections_within_ten_milliseconds() {
        let times = [0, 1_000_000, 9_999_999, 10_000_000, 30_000_000];
        assert_eq!(rush(&times), Rush { count: 5, most_in_10_ms: 3, span_ms: 30 });
        assert_eq!(rush(&[]), Rush::default());
    }
}
