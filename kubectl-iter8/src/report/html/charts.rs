//! Geometry of the charts: numbers in, positions out. Pure. Their colours are the style sheet's, their words around them
//! the template's.

use iter8_agent::Histogram;
use iter8_core::assess::significant;
use iter8_core::result::LoadSecond;
use iter8_core::slo::{Bound, SloResult};
use serde::Serialize;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
/// Edges of the area that holds the data; outside are the numbers of the axes.
const LEFT: f64 = 62.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = HEIGHT - 42.0;

/// A chart with everything that the template draws of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chart {
    title: &'static str,
    /// What the chart shows, for those who cannot see it.
    description: String,
    x_axis: &'static str,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    bars: Vec<Bar>,
    lines: Vec<Line>,
    limits: Vec<Limit>,
    /// Limits that lie above the chart.
    beyond: Vec<String>,
    frame: Frame,
}

/// The area that holds the data.
#[derive(Clone, Copy, Debug, Serialize)]
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

const FRAME: Frame = Frame { width: WIDTH, height: HEIGHT, left: LEFT, right: RIGHT, top: TOP, bottom: BOTTOM };

/// A number at an axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Tick {
    at: String,
    label: String,
}

#[derive(Clone, Debug, Serialize)]
struct Bar {
    class: &'static str,
    x: String,
    y: String,
    width: String,
    height: String,
}

#[derive(Clone, Debug, Serialize)]
struct Line {
    /// Name in the legend.
    name: &'static str,
    class: &'static str,
    points: Vec<Point>,
    /// Whether each point has a mark, because there are few.
    marked: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Point {
    x: String,
    y: String,
}

#[derive(Clone, Debug, Serialize)]
struct Limit {
    y: String,
    label: String,
}

/// A straight scale from values to positions.
#[derive(Clone, Copy)]
struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    fn x(low: f64, high: f64) -> Self {
        Self { from: (low, high), to: (LEFT, RIGHT) }
    }

    /// From zero to a round number above `high`.
    fn y(high: f64) -> Self {
        let step = step(high);
        Self { from: (0.0, step * (high / step).ceil().max(1.0)), to: (BOTTOM, TOP) }
    }

    fn at(self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + share.clamp(0.0, 1.0) * (self.to.1 - self.to.0)
    }

    fn point(self, y: Self, (x_value, y_value): (f64, f64)) -> Point {
        Point { x: position(self.at(x_value)), y: position(y.at(y_value)) }
    }

    fn ticks(self) -> Vec<Tick> {
        let (low, high) = self.from;
        let step = step(high - low);
        let tick = |n: u32| low + f64::from(n) * step;
        let ticks = (0..20).map(tick).take_while(|value| *value <= high + step * 1e-6);
        ticks.map(|value| Tick { at: position(self.at(value)), label: significant(rounded(value), 3) }).collect()
    }
}

/// Without what adding up steps leaves behind: 0.3 rather than 0.30000000000000004.
fn rounded(value: f64) -> f64 {
    format!("{value:.9}").parse().unwrap_or(value)
}

/// A tenth of a pixel is as fine as anybody sees.
fn position(at: f64) -> String {
    format!("{at:.1}")
}

/// A round number (1, 2 or 5 times a power of ten) of which four or five reach `high`.
fn step(high: f64) -> f64 {
    if !high.is_finite() || high <= 0.0 {
        return 1.0;
    }
    let raw = high / 4.0;
    let power = 10f64.powf(raw.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| round * power >= raw * 0.999).unwrap_or(10.0);
    round * power
}

fn millis(histogram: &Histogram, q: f64) -> f64 {
    histogram.quantile(q).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// Latency by percentile. The axis of percentiles is the logarithm of 1/(1 - q): each nine is as wide as the one before,
/// so that the slowest requests can be seen. None without latencies.
pub(super) fn latencies(histogram: &Histogram, objectives: &[&SloResult]) -> Option<Chart> {
    const STEPS: u32 = 150;
    if histogram.is_empty() {
        return None;
    }
    let last = (histogram.len() as f64).log10().max(1.0);
    let max = millis(histogram, 1.0);
    let limits = limits(objectives);
    // A limit far above the latencies would press them onto the axis.
    let (near, far): (Vec<_>, Vec<_>) = limits.into_iter().partition(|(_, limit)| *limit <= max * 2.5);
    let highest = near.iter().map(|(_, limit)| *limit * 1.04).fold(max, f64::max);
    let (x, y) = (Scale::x(0.0, last), Scale::y(highest));
    let nines = (0..=STEPS).map(|step| last * f64::from(step) / f64::from(STEPS));
    let curve = nines.map(|nines| x.point(y, (nines, millis(histogram, 1.0 - 10f64.powf(-nines)))));
    let percentiles =
        [(50.0, "50 %"), (90.0, "90 %"), (99.0, "99 %"), (99.9, "99.9 %"), (99.99, "99.99 %"), (99.999, "99.999 %")];
    let nines_of = |percentile: f64| -(1.0 - percentile / 100.0_f64).log10();
    let x_ticks = percentiles.into_iter().filter(|(percentile, _)| nines_of(*percentile) <= last + 1e-9);
    let shown = |q: f64| significant(millis(histogram, q), 3);
    Some(Chart {
        title: "Latency by percentile, in ms",
        description: format!(
            "Latency by percentile of {} requests: p50 {} ms, p90 {} ms, p99 {} ms, largest {} ms.",
            histogram.len(),
            shown(0.5),
            shown(0.9),
            shown(0.99),
            shown(1.0)
        ),
        x_axis: "share of requests that are not slower",
        x_ticks: x_ticks
            .map(|(of, label)| Tick { at: position(x.at(nines_of(of))), label: label.to_owned() })
            .collect(),
        y_ticks: y.ticks(),
        bars: Vec::new(),
        lines: vec![Line { name: "latency", class: "first", points: curve.collect(), marked: false }],
        limits: near.into_iter().map(|(label, limit)| Limit { y: position(y.at(limit)), label }).collect(),
        beyond: far.into_iter().map(|(label, _)| label).collect(),
        frame: FRAME,
    })
}

/// The limits with their labels, each once.
fn limits(objectives: &[&SloResult]) -> Vec<(String, f64)> {
    let mut limits: Vec<(String, f64)> = Vec::new();
    for slo in objectives {
        let side = match slo.bound {
            Bound::Upper => "at most",
            Bound::Lower => "at least",
        };
        let what = slo.metric.split_once('/').map_or(slo.metric.as_str(), |(_, what)| what);
        let label = format!("{what} {side} {} ms", slo.limit);
        if !limits.iter().any(|(known, _)| *known == label) {
            limits.push((label, slo.limit));
        }
    }
    limits
}

/// Requests and errors a second. None without seconds.
pub(super) fn rates(seconds: &[LoadSecond], elapsed: f64) -> Option<Chart> {
    let spans = spans(seconds, elapsed);
    let (first, last) = (seconds.first()?.second as f64, spans.last()?.1);
    let rate = |count: u64, (from, to): (f64, f64)| count as f64 / (to - from);
    let rates = seconds.iter().zip(&spans).map(|(second, span)| rate(second.requests, *span));
    let (x, y) = (Scale::x(first, last), Scale::y(rates.clone().fold(0.0, f64::max)));
    let bars = seconds.iter().zip(&spans).flat_map(|(second, span)| {
        let errors = rate(second.errors, *span);
        let good = bar("first", x, y, *span, (errors, rate(second.requests, *span)));
        let bad = (second.errors > 0).then(|| bar("error", x, y, *span, (0.0, errors)));
        [Some(good), bad].into_iter().flatten()
    });
    let (requests, errors) = seconds.iter().fold((0, 0), |sum, part| (sum.0 + part.requests, sum.1 + part.errors));
    Some(Chart {
        title: "Requests and errors a second",
        description: format!(
            "Requests a second over {} s: {requests} requests, {errors} of them errors, at most {} a second.",
            significant(last - first, 3),
            significant(rates.fold(0.0, f64::max), 3)
        ),
        x_axis: "seconds from the start",
        x_ticks: x.ticks(),
        y_ticks: y.ticks(),
        bars: bars.collect(),
        lines: Vec::new(),
        limits: Vec::new(),
        beyond: Vec::new(),
        frame: FRAME,
    })
}

/// Mean and largest latency over time. None without seconds.
pub(super) fn over_time(seconds: &[LoadSecond], elapsed: f64) -> Option<Chart> {
    const FEW: usize = 60;
    let spans = spans(seconds, elapsed);
    let (first, last) = (seconds.first()?.second as f64, spans.last()?.1);
    let max = seconds.iter().map(|part| part.max_ms).fold(0.0, f64::max);
    let (x, y) = (Scale::x(first, last), Scale::y(max));
    let line = |name, class, of: fn(&LoadSecond) -> f64| {
        let points = seconds.iter().zip(&spans).map(|(part, (from, to))| x.point(y, ((from + to) / 2.0, of(part))));
        Line { name, class, points: points.collect(), marked: seconds.len() <= FEW }
    };
    let lines = vec![line("largest", "second", |part| part.max_ms), line("mean", "first", |part| part.mean_ms)];
    Some(Chart {
        title: "Latency over time, in ms",
        description: format!(
            "Mean and largest latency over {} s; the largest is {} ms.",
            significant(last - first, 3),
            significant(max, 3)
        ),
        x_axis: "seconds from the start",
        x_ticks: x.ticks(),
        y_ticks: y.ticks(),
        bars: Vec::new(),
        lines,
        limits: Vec::new(),
        beyond: Vec::new(),
        frame: FRAME,
    })
}

/// Begin and end of each part, in seconds. A part lasts until the next one; the last as long as the one before, but not
/// beyond the end of the load.
fn spans(seconds: &[LoadSecond], elapsed: f64) -> Vec<(f64, f64)> {
    const SHORTEST: f64 = 0.1;
    let begins: Vec<f64> = seconds.iter().map(|part| part.second as f64).collect();
    let usual = begins.windows(2).map(|pair| pair[1] - pair[0]).next_back().unwrap_or(1.0);
    let end = |begin: f64| begin + (elapsed - begin).min(usual).max(SHORTEST);
    begins
        .iter()
        .enumerate()
        .map(|(index, begin)| (*begin, begins.get(index + 1).copied().unwrap_or_else(|| end(*begin))))
        .collect()
}

fn bar(class: &'static str, x: Scale, y: Scale, span: (f64, f64), (low, high): (f64, f64)) -> Bar {
    let (left, right, top, bottom) = (x.at(span.0), x.at(span.1), y.at(high), y.at(low));
    // Bars keep apart while there is room for it.
    let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
    Bar {
        class,
        x: position(left + gap / 2.0),
        y: position(top),
        width: position(right - left - gap),
        height: position(bottom - top),
    }
}

/// A value, its interval and its limit on one line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Gauge {
    width: f64,
    value: String,
    from: String,
    length: String,
    limit: String,
}

/// None when the value is missing, or is not to be drawn from zero.
pub(super) fn gauge(slo: &SloResult) -> Option<Gauge> {
    const ROOM: f64 = 120.0;
    const EDGE: f64 = 5.0;
    let value = slo.value.filter(|value| value.is_finite() && *value >= 0.0)?;
    let (lower, upper) = slo
        .interval
        .map_or((value, value), |interval| (interval.lower.unwrap_or(value).max(0.0), interval.upper.unwrap_or(value)));
    let high = [value, upper, slo.limit].into_iter().fold(0.0, f64::max) * 1.15;
    if !high.is_finite() || slo.limit < 0.0 {
        return None;
    }
    let scale = Scale { from: (0.0, if high > 0.0 { high } else { 1.0 }), to: (EDGE, ROOM - EDGE) };
    Some(Gauge {
        width: ROOM,
        value: position(scale.at(value)),
        from: position(scale.at(lower)),
        length: position(scale.at(upper) - scale.at(lower)),
        limit: position(scale.at(slo.limit)),
    })
}

/// A small line without axes: values over loops. None below two values.
pub(super) fn sparkline(history: &[(u32, f64)]) -> Option<String> {
    const ROOM: (f64, f64) = (96.0, 24.0);
    const EDGE: f64 = 2.0;
    let (first, last) = (history.first()?.0, history.last()?.0);
    if first >= last {
        return None;
    }
    let (low, high) = history
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, value)| (low.min(*value), high.max(*value)));
    let x = Scale { from: (f64::from(first), f64::from(last)), to: (EDGE, ROOM.0 - EDGE) };
    // What never changes is a line in the middle.
    let (low, high) = if high > low { (low, high) } else { (low - 1.0, low + 1.0) };
    let y = Scale { from: (low, high), to: (ROOM.1 - EDGE, EDGE) };
    let points = history.iter().map(|(number, value)| format!("{:.1},{:.1}", x.at(f64::from(*number)), y.at(*value)));
    Some(points.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use iter8_core::Verdict;
    use iter8_core::stats::Interval;

    use super::*;

    fn objective(limit: f64) -> SloResult {
        SloResult {
            metric: "http/latency-p99".into(),
            bound: Bound::Upper,
            limit,
            version: Some(0),
            verdict: Verdict::Pass,
            reason: String::new(),
            value: Some(20.0),
            unit: Some("ms".into()),
            interval: Some(Interval { lower: Some(10.0), upper: None }),
            samples: None,
            source: None,
        }
    }

    fn second(second: u64, requests: u64, errors: u64) -> LoadSecond {
        LoadSecond { second, requests, errors, mean_ms: 2.0, max_ms: 8.0 }
    }

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn axes_have_round_numbers() {
        for (high, expected) in [
            (1.0, ["0", "0.5", "1"].as_slice()),
            (87.0, &["0", "50", "100"]),
            (4.1, &["0", "2", "4", "6"]),
            (0.0, &["0", "0.5", "1"]),
        ] {
            assert_eq!(labels(&Scale::y(high).ticks()), expected, "{high}");
        }
    }

    #[test]
    fn each_nine_of_the_percentiles_is_as_wide_as_the_one_before() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|millis| histogram.record(Duration::from_millis(millis)));
        let chart = latencies(&histogram, &[]).unwrap();
        assert_eq!(labels(&chart.x_ticks), ["50 %", "90 %", "99 %", "99.9 %"]);
        let at: Vec<f64> = chart.x_ticks.iter().map(|tick| tick.at.parse().unwrap()).collect();
        assert!((at[2] - at[1] - (at[3] - at[2])).abs() < 0.3, "{at:?}");
        let heights: Vec<f64> = chart.lines[0].points.iter().map(|point| point.y.parse().unwrap()).collect();
        assert!(heights.is_sorted_by(|a, b| a >= b), "a higher percentile is not faster: {heights:?}");
    }

    #[test]
    fn limits_are_lines_or_are_said_when_they_lie_far_above() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_millis(20));
        let (near, far) = (objective(25.0), objective(500.0));
        let chart = latencies(&histogram, &[&near, &near, &far]).unwrap();
        assert_eq!(
            chart.limits.iter().map(|limit| limit.label.as_str()).collect::<Vec<_>>(),
            ["latency-p99 at most 25 ms"]
        );
        assert_eq!(chart.beyond, ["latency-p99 at most 500 ms"]);
    }

    #[test]
    fn parts_of_several_seconds_and_a_last_one_cut_short_show_their_rate() {
        let parts = [second(0, 200, 0), second(2, 200, 50), second(4, 100, 0)];
        assert_eq!(spans(&parts, 5.0), [(0.0, 2.0), (2.0, 4.0), (4.0, 5.0)]);
        let chart = rates(&parts, 5.0).unwrap();
        let bars: Vec<(&str, &str)> = chart.bars.iter().map(|bar| (bar.class, bar.y.as_str())).collect();
        assert_eq!(bars.iter().filter(|(class, _)| *class == "error").count(), 1);
        let good: Vec<&str> = bars.iter().filter(|(class, _)| *class == "first").map(|(_, y)| *y).collect();
        assert!(good.iter().all(|y| *y == good[0]), "100 a second in each part: {bars:?}");
        assert_eq!(
            chart.description,
            "Requests a second over 5 s: 500 requests, 50 of them errors, at most 100 a second."
        );
    }

    #[test]
    fn nothing_measured_is_no_chart() {
        assert!(latencies(&Histogram::default(), &[]).is_none());
        assert!(rates(&[], 0.0).is_none() && over_time(&[], 0.0).is_none());
        assert!(sparkline(&[(1, 2.0)]).is_none() && sparkline(&[]).is_none());
        assert!(gauge(&SloResult { value: None, ..objective(1.0) }).is_none());
    }

    #[test]
    fn small_charts_stay_in_their_room() {
        let drawn = gauge(&objective(50.0)).unwrap();
        let number = |text: &str| text.parse::<f64>().unwrap();
        assert!(number(&drawn.value) < number(&drawn.limit) && number(&drawn.limit) < drawn.width);
        assert_eq!(sparkline(&[(1, 5.0), (3, 5.0)]).unwrap(), "2.0,12.0 94.0,12.0");
        assert_eq!(sparkline(&[(1, 1.0), (2, 2.0)]).unwrap(), "2.0,22.0 94.0,2.0");
        let zero = SloResult { value: Some(0.0), interval: None, ..objective(0.0) };
        assert!(gauge(&zero).is_some(), "an objective of no errors");
    }
}
