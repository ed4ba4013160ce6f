//! Histograms as Prometheus counts them: for each upper bound how many values do not exceed it. What a quantile of them is,
//! and how exactly it is known.

use serde_json::Value;

use super::template::number;
use crate::stats::Interval;

/// The buckets of a histogram, ascending, with all values in the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Upper bounds and numbers of values that do not exceed them. The last bound is infinite.
    cumulative: Vec<(f64, f64)>,
}

impl Buckets {
    /// Reads a list of `[upper bound, count]`, in which both may be texts and one bound is `+Inf`.
    ///
    /// # Errors
    /// Why it is no histogram, as the rest of a sentence that begins with "the answer".
    pub fn parse(output: &Value) -> Result<Self, String> {
        const SHAPE: &str =
            "is no list of [upper bound, count], as .data.result | map([.metric.le, .value[1]]) gives it";
        let rows = output.as_array().ok_or(SHAPE)?;
        let bound = |value: &Value| match value {
            Value::String(text) if ["+Inf", "Inf", "inf"].contains(&text.trim()) => Ok(f64::INFINITY),
            value => number(value).map_err(|why| format!("has a bound that {why}")),
        };
        let row = |row: &Value| match row.as_array().map(Vec::as_slice) {
            Some([le, count]) => {
                let count = number(count).map_err(|why| format!("has a count that {why}"))?;
                Ok((bound(le)?, count))
            }
            _ => Err(SHAPE.to_owned()),
        };
        let mut cumulative = rows.iter().map(row).collect::<Result<Vec<_>, String>>()?;
        cumulative.sort_by(|a, b| a.0.total_cmp(&b.0));
        if cumulative.is_empty() {
            return Err("has no buckets: nothing was found".to_owned());
        }
        if cumulative.last().is_none_or(|last| last.0.is_finite()) {
            return Err("has no bucket +Inf, so that it is not known how many values there are".to_owned());
        }
        if cumulative.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err("has a bound twice: add up the series by le".to_owned());
        }
        // Prometheus reads a histogram while it grows, and extrapolates its increase: small dents are no lie.
        let mut highest = 0.0_f64;
        for (_, count) in &mut cumulative {
            highest = highest.max(*count);
            *count = highest;
        }
        Ok(Self { cumulative })
    }

    /// How many values there are; none that is a fraction of one, as an increase may be.
    pub fn count(&self) -> f64 {
        self.cumulative.last().map_or(0.0, |last| last.1)
    }

    /// The quantile `q` (0 < q < 1) with the bounds of the bucket that it lies in. It is interpolated as Prometheus's
    /// `histogram_quantile` does: values are taken to be spread evenly in their bucket, the first of which begins at 0 when
    /// its bound is positive; in the last one the quantile is its lower bound. None without values.
    pub fn quantile(&self, q: f64) -> Option<(f64, Interval)> {
        let rank = q * self.count();
        if self.count() <= 0.0 {
            return None;
        }
        let index = self.cumulative.iter().position(|(_, count)| *count >= rank)?;
        let (upper, count) = self.cumulative[index];
        let (lower, before) = match index.checked_sub(1) {
            Some(index) => self.cumulative[index],
            None if upper > 0.0 => (0.0, 0.0),
            None => return Some((upper, Interval { lower: None, upper: Some(upper) })),
        };
        if upper.is_infinite() {
            // With a single bucket nothing is known.
            return (index > 0).then_some((lower, Interval { lower: Some(lower), upper: None }));
        }
        let share = if count > before { (rank - before) / (count - before) } else { 1.0 };
        Some((lower + (upper - lower) * share, Interval::new(lower, upper)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn buckets(output: &Value) -> Buckets {
        Buckets::parse(output).unwrap()
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        // histogram_quantile of Prometheus on these buckets.
        let read = buckets(&json!([["0.1", "50"], ["0.5", "90"], ["1", "100"], ["+Inf", "100"]]));
        assert_eq!(read.count(), 100.0);
        for (q, value, lower, upper) in
            [(0.5, 0.1, 0.0, 0.1), (0.25, 0.05, 0.0, 0.1), (0.7, 0.3, 0.1, 0.5), (0.95, 0.75, 0.5, 1.0)]
        {
            let (found, interval) = read.quantile(q).unwrap();
            assert!((found - value).abs() < 1e-12, "{q}: {found}");
            assert_eq!(interval, Interval::new(lower, upper), "{q}");
        }
    }

    #[test]
    fn beyond_the_last_bound_only_that_bound_is_known() {
        let read = buckets(&json!([[1, 10], ["+Inf", 20]]));
        assert_eq!(read.quantile(0.9), Some((1.0, Interval { lower: Some(1.0), upper: None })));
        assert_eq!(buckets(&json!([["+Inf", 20]])).quantile(0.5), None);
        assert_eq!(buckets(&json!([[1, 0], ["+Inf", 0]])).quantile(0.5), None);
        assert_eq!(buckets(&json!([[-1, 5], ["+Inf", 5]])).quantile(0.5).unwrap().0, -1.0);
    }

    #[test]
    fn what_is_no_histogram_is_refused_with_the_reason() {
        for (output, message) in [
            (json!(5), "is no list of [upper bound, count], as .data.result | map([.metric.le, .value[1]]) gives it"),
            (json!([]), "has no buckets: nothing was found"),
            (json!([[1, 2]]), "has no bucket +Inf, so that it is not known how many values there are"),
            (json!([[1, 2], [1, 3], ["+Inf", 3]]), "has a bound twice: add up the series by le"),
            (json!([[null, 2]]), "has a bound that is null: nothing was found"),
            (json!([[1, "NaN"]]), "has a count that is NaN: there was nothing to work it out from"),
        ] {
            assert_eq!(Buckets::parse(&output).unwrap_err(), message, "{output}");
        }
    }

    proptest! {
        #[test]
        fn a_quantile_lies_in_its_bucket_and_grows(counts in prop::collection::vec(0u32..50, 2..8), a in 0.01f64..0.99, b in 0.01f64..0.99) {
            let mut sum = 0;
            let last = counts.len() - 1;
            let rows: Vec<Value> = counts.iter().enumerate().map(|(index, count)| {
                sum += count;
                if index == last { json!(["+Inf", sum]) } else { json!([index + 1, sum]) }
            }).collect();
            let read = buckets(&Value::Array(rows));
            let (low, high) = (a.min(b), a.max(b));
            if let (Some((first, interval)), Some((second, _))) = (read.quantile(low), read.quantile(high)) {
                prop_assert!(first <= second);
                prop_assert!(interval.lower.is_none_or(|lower| lower <= first) && interval.upper.is_none_or(|upper| first <= upper));
            }
        }
    }
}
