//! Adds what tasks observed to a result: which version a value belongs to, and where its metric is. Measuring is the
//! business of tasks, judging that of [`crate::assess`].
//!
//! A metric either tells the versions of the result apart, then it has an entry for each of them; or it does not, as a load
//! that is sent to the app as a whole, then it has one entry.

use crate::metric::{Metric, MetricKind, Observation, Series};
use crate::result::{ExperimentResult, Version};

/// What a metric is, apart from its name and values.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// How it behaves.
    pub kind: MetricKind,
    /// The unit of its values; none for a count or a ratio.
    pub unit: Option<String>,
    /// What it says, in a sentence.
    pub description: String,
}

impl ExperimentResult {
    /// The numbers of `versions` in the result, in their order. Those that it does not have yet are added.
    ///
    /// A version is known by its track, or by its version when one of the two has no track; what it is called now counts.
    /// Versions without either are the first, the second and so on.
    pub fn number_versions(&mut self, versions: &[Version]) -> Vec<usize> {
        let mut numbers = Vec::new();
        for (index, version) in versions.iter().enumerate() {
            let known = match version {
                Version { version: None, track: None } => Some(index).filter(|index| *index < self.versions.len()),
                named => self.versions.iter().position(|known| is_same(known, named)),
            };
            let number = known.unwrap_or(self.versions.len());
            match self.versions.get_mut(number) {
                None => self.versions.push(version.clone()),
                Some(known) => {
                    known.version = version.version.clone().or_else(|| known.version.take());
                    known.track = version.track.clone().or_else(|| known.track.take());
                }
            }
            numbers.push(number);
        }
        numbers
    }

    /// Adds a value of the present loop to the metric `name`: of the version with this number, or of none when the metric
    /// does not tell versions apart.
    pub fn observe(&mut self, name: &str, about: About, version: Option<usize>, observation: Observation) {
        let About { kind, unit, description } = about;
        let count = version.map_or(1, |version| self.versions.len().max(version + 1));
        let metric = self.metrics.entry(name.to_owned()).or_insert_with(|| Metric {
            kind,
            unit,
            description,
            per_version: false,
            versions: Vec::new(),
        });
        metric.per_version |= version.is_some();
        metric.versions.resize_with(count.max(metric.versions.len()), Series::default);
        let observation = Observation { loop_number: self.loops.started, ..observation };
        metric.versions[version.unwrap_or(0)].observe(observation);
    }
}

fn is_same(known: &Version, named: &Version) -> bool {
    match (&known.track, &named.track) {
        (Some(known), Some(named)) => known == named,
        (None, _) | (_, None) => known.version.is_some() && known.version == named.version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(track: &str, version: &str) -> Version {
        let part = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Version { version: part(version), track: part(track) }
    }

    fn result() -> ExperimentResult {
        let mut result = ExperimentResult::pending("default", "", 1, &["assess"]);
        result.loops.started = 1;
        result
    }

    #[test]
    fn a_version_is_known_again_by_its_track_or_else_by_its_version() {
        let mut result = result();
        assert_eq!(result.number_versions(&[version("", "v1"), version("", "v2")]), [0, 1]);
        assert_eq!(result.number_versions(&[version("candidate", "v2"), version("baseline", "v1")]), [1, 0]);
        assert_eq!(result.versions, [version("baseline", "v1"), version("candidate", "v2")]);
        assert_eq!(result.number_versions(&[version("candidate", "v3"), version("other", "v1")]), [1, 2]);
        assert_eq!(result.versions[1], version("candidate", "v3"));
    }

    #[test]
    fn versions_without_a_name_are_known_by_their_place() {
        let mut result = result();
        assert_eq!(result.number_versions(&[Version::default(), Version::default()]), [0, 1]);
        assert_eq!(result.number_versions(&[Version::default(), Version::default()]), [0, 1]);
        assert_eq!(result.versions.len(), 2);
    }

    #[test]
    fn a_metric_has_an_entry_for_each_version_or_one() {
        let about = || About { kind: MetricKind::Gauge, unit: None, description: String::new() };
        let value = |value| Observation { value: Some(value), ..Observation::default() };
        let mut result = result();
        result.number_versions(&[version("baseline", "")]);
        result.observe("prom/errors", about(), Some(0), value(1.0));
        result.number_versions(&[version("candidate", "")]);
        result.observe("prom/errors", about(), Some(1), value(2.0));
        result.observe("http/error-count", about(), None, value(3.0));
        let latest = |name: &str| -> Vec<Option<f64>> {
            result.metrics[name].versions.iter().map(|series| series.latest.as_ref()?.value).collect()
        };
        assert_eq!(latest("prom/errors"), [Some(1.0), Some(2.0)]);
        assert_eq!(latest("http/error-count"), [Some(3.0)]);
    }

    #[test]
    fn what_was_measured_of_the_only_version_stays_its_own_when_others_come() {
        let about = || About { kind: MetricKind::Gauge, unit: None, description: String::new() };
        let mut result = result();
        result.number_versions(&[version("candidate", "")]);
        result.observe(
            "http/error-count",
            about(),
            Some(0),
            Observation { value: Some(3.0), ..Observation::default() },
        );
        result.observe("http-a/error-count", about(), None, Observation { value: Some(3.0), ..Observation::default() });
        result.number_versions(&[version("baseline", "")]);
        let apart = |name: &str| result.metrics[name].is_per_version();
        assert_eq!((apart("http/error-count"), apart("http-a/error-count")), (true, false));
    }
}
