//! What a task measured of each version of the app, over all endpoints that are of it. It is worked out from their reports,
//! which merge without loss, never from their figures. What is measured of an endpoint is the business of
//! [`super::parts`].

use std::collections::BTreeSet;

use iter8_core::result::{Version, load_key};
use iter8_core::task::load::Order;
use iter8_core::{Experiment, ExperimentResult};
use iter8_load::{Fault, Report};

use super::metrics::{Source, percentiles, record};
use super::parts::{Manner, Part, faults_of};

/// The loads of a task, each with the version that it is sent to.
pub(super) struct Versions<'a> {
    parts: &'a [Part],
    /// The number of each one's version in the result. Empty when versions are not told apart.
    numbers: Vec<usize>,
    manner: &'a Manner,
    order: Order,
}

impl<'a> Versions<'a> {
    /// Those of these loads; the result knows their versions afterwards.
    pub(super) fn of(parts: &'a [Part], manner: &'a Manner, order: Order, result: &mut ExperimentResult) -> Self {
        // By the rules of the inputs all loads are of a version, or none is.
        let named: Vec<Version> = parts.iter().filter_map(|part| part.version.clone()).collect();
        Self { parts, numbers: result.number_versions(&named), manner, order }
    }

    /// Adds to the result what was measured of each version. There are reports of the first loads, or of all. A version of
    /// which some loads are missing is left out, unless they are because the task was stopped: then what there is is kept.
    pub(super) fn keep(
        &self,
        reports: &[Report],
        is_stopped: bool,
        experiment: &Experiment,
        result: &mut ExperimentResult,
    ) {
        for version in self.numbers.iter().copied().collect::<BTreeSet<_>>() {
            let is_of = |number: &usize| *number == version;
            let loads = self.parts.iter().zip(reports).zip(&self.numbers).filter(|(_, number)| is_of(number));
            let loads: Vec<(&Part, &Report)> = loads.map(|(load, _)| load).collect();
            let is_whole = loads.len() == self.numbers.iter().copied().filter(is_of).count();
            if !loads.is_empty() && (is_whole || is_stopped) {
                self.keep_one(version, &loads, reports, experiment, result);
            }
        }
    }

    fn keep_one(
        &self,
        version: usize,
        loads: &[(&Part, &Report)],
        reports: &[Report],
        experiment: &Experiment,
        result: &mut ExperimentResult,
    ) {
        let mut all = Report::default();
        let mut faults = match self.order {
            Order::Sequence => {
                loads.iter().for_each(|(_, report)| all.append(report));
                match loads {
                    [(_, only)] => only.faults.iter().map(ToString::to_string).collect(),
                    _ => faults_of(loads.iter().copied()),
                }
            }
            // Loads that share a generator share what is wrong with it.
            Order::SideBySide => {
                loads.iter().for_each(|(_, report)| all.merge(report));
                faults_of(self.parts.iter().zip(reports))
            }
        };
        // Of each endpoint there may have been too few requests to say how late they were, of all together enough.
        if !all.faults.iter().any(|fault| matches!(fault, Fault::Lag { .. })) {
            faults.extend(all.lag_fault().map(|fault| fault.to_string()));
        }
        let asked = loads.iter().flat_map(|(part, _)| &part.pace.percentiles).map(|percentile| percentile.0);
        let mut targets: Vec<&str> = loads.iter().map(|(part, _)| part.load.target.as_str()).collect();
        targets.dedup();
        let provider = self.manner.provider;
        let source = Source {
            provider,
            version: Some(version),
            latency: self.manner.latency,
            target: targets.join(", "),
            percentiles: &percentiles(asked, &experiment.percentiles(provider)),
            faults: &faults,
        };
        record(result, &source, &all);
        // Several endpoints have fetched under the same keys; which did stands with each of them.
        if let ([(part, _)], Some(details)) = (loads, result.load.get_mut(&load_key(provider, Some(version)))) {
            details.fetched.clone_from(&part.load.fetched);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use iter8_core::task::load::Pace;
    use iter8_load::{Arrivals, Limit, Plan, Share, Target};

    use super::super::parts::Planned;
    use super::*;

    const MANNER: Manner =
        Manner { provider: "http", search: "http.search", latency: "latency-", search_connections: 1 };

    fn part(endpoint: &str, track: &str) -> Part {
        let plan = Plan {
            target: Target::get("http://a".parse().unwrap()),
            arrivals: Arrivals::Closed,
            turns: None,
            limit: Limit::Requests(60),
            warmup: None,
            connections: 1,
            streams: 1,
            timeout: Duration::from_secs(1),
            error_ranges: Vec::new(),
            allow_initial_errors: false,
            share: Share::WHOLE,
        };
        Part {
            provider: format!("http-{endpoint}"),
            endpoint: Some(endpoint.to_owned()),
            weight: 1,
            version: Some(Version { version: None, track: Some(track.to_owned()) }),
            pace: Pace::default(),
            says_connections: false,
            load: Planned { plan, target: String::new(), fetched: BTreeMap::new(), most: None },
        }
    }

    /// What sixty requests saw that were sent so late.
    fn late(by: Duration) -> Report {
        let mut report = Report { completed: 60, ..Report::default() };
        (0..60).for_each(|_| report.lag.record(by));
        report
    }

    #[test]
    fn lateness_that_no_endpoint_had_the_requests_to_show_is_found_in_its_version() {
        let experiment = Experiment::parse("spec: [{task: assess}]").unwrap();
        let (slow, quick) = (late(Duration::from_secs(1)), late(Duration::ZERO));
        assert_eq!(slow.lag_fault(), None);
        let parts = [part("a", "baseline"), part("b", "baseline"), part("c", "candidate"), part("d", "candidate")];
        let reports = [slow.clone(), slow, quick.clone(), quick];
        for order in [Order::Sequence, Order::SideBySide] {
            let mut result = ExperimentResult::pending("web", "", 1, &["http"]);
            Versions::of(&parts, &MANNER, order, &mut result).keep(&reports, false, &experiment, &mut result);
            let faults = |load: &str| result.load[load].faults.clone();
            assert!(faults("http/0").len() == 1 && faults("http/0")[0].contains("sent late"), "{:?}", result.load);
            assert_eq!(faults("http/1"), Vec::<String>::new());
            let latest = |version: usize| result.metrics["http/error-rate"].versions[version].latest.clone().unwrap();
            assert_eq!((latest(0).faults, latest(1).faults), (faults("http/0"), faults("http/1")));
        }
    }

    #[test]
    fn what_is_wrong_with_the_only_endpoint_of_a_version_needs_no_name() {
        let experiment = Experiment::parse("spec: [{task: assess}]").unwrap();
        let spoilt = Report { faults: vec![Fault::NotSent { dropped: 5, offered: 60 }], ..Report::default() };
        let parts = [part("a", "baseline"), part("b", "candidate"), part("c", "candidate")];
        let mut result = ExperimentResult::pending("web", "", 1, &["http"]);
        let versions = Versions::of(&parts, &MANNER, Order::Sequence, &mut result);
        versions.keep(&[spoilt.clone(), spoilt, Report::default()], false, &experiment, &mut result);
        let first = |load: &str| result.load[load].faults[0].clone();
        assert!(
            first("http/0").starts_with("5 of 60") && first("http/1").starts_with("b: 5 of 60"),
            "{:?}",
            result.load
        );
    }
}
