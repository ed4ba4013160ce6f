//! Several endpoints in one task: how their settings stand over those of the task, what their names may be, and in which
//! order they get their load.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::scalar::Count;
use crate::schema::Problem;

/// How the endpoints of a task get their load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// One after another, in the order of their names, each with a load of its own.
    #[default]
    Sequence,
    /// All at the same time, out of one load that they share by their weights.
    SideBySide,
}

/// Keys with those that they take the place of: who sets the first does not inherit the others.
pub type Excludes = [(&'static str, &'static [&'static str])];

/// The settings of an endpoint over those of its task: what an endpoint says counts, be it `false`, 0 or an empty text;
/// what it does not say it inherits. Maps are merged key by key; what stands under a key is replaced.
pub fn over<T: Serialize + DeserializeOwned + Clone>(endpoint: &T, task: &T, excludes: &Excludes) -> T {
    let (Ok(Value::Object(mut own)), Ok(Value::Object(base))) =
        (serde_json::to_value(endpoint), serde_json::to_value(task))
    else {
        return endpoint.clone();
    };
    let is_replaced = |key: &str| excludes.iter().any(|(said, gone)| own.contains_key(*said) && gone.contains(&key));
    let inherited: Vec<(String, Value)> = base.into_iter().filter(|(key, _)| !is_replaced(key)).collect();
    for (key, value) in inherited {
        match (own.get_mut(&key), value) {
            (Some(Value::Object(own)), Value::Object(base)) => inherit(own, base),
            (Some(_), _) => {}
            (None, value) => {
                own.insert(key, value);
            }
        }
    }
    serde_json::from_value(Value::Object(own)).unwrap_or_else(|_| endpoint.clone())
}

/// Names that differ in nothing but case are the same: those of headers are.
fn inherit(own: &mut Map<String, Value>, base: Map<String, Value>) {
    let is_said = |own: &Map<String, Value>, key: &str| own.keys().any(|said| said.eq_ignore_ascii_case(key));
    for (key, value) in base {
        if !is_said(own, &key) {
            own.insert(key, value);
        }
    }
}

/// What an endpoint says of a load that it shares with others.
pub struct Share<'a> {
    /// Its name.
    pub id: &'a str,
    /// How many of the turns it asks for.
    pub weight: Option<Count>,
    /// The keys that it has and that say at which rate or for how long load is sent.
    pub keys_of_time: Vec<&'static str>,
}

/// The largest weight of an endpoint.
const MAX_WEIGHT: u64 = 1_000;

/// What is wrong with the order of endpoints, and with what they say of it.
pub fn order_problems(order: Option<Order>, shares: &[Share<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if shares.is_empty() && order.is_some() {
        problems.push(Problem::at("endpointsOrder", "means nothing without endpoints"));
    }
    let order = order.unwrap_or_default();
    for Share { id, weight, keys_of_time } in shares {
        let mut problem =
            |key: &str, message: String| problems.push(Problem::at(&format!("endpoints.{id}.{key}"), message));
        match (order, weight) {
            (Order::Sequence, Some(Count(weight))) => {
                problem("weight", format!("is {weight}, which means nothing without endpointsOrder: sideBySide"));
            }
            (Order::SideBySide, Some(Count(weight))) if *weight == 0 || *weight > MAX_WEIGHT => {
                problem("weight", format!("must be from 1 to {MAX_WEIGHT}, got {weight}"));
            }
            (Order::Sequence | Order::SideBySide, _) => {}
        }
        if order == Order::SideBySide {
            for key in keys_of_time {
                let message = "belongs to the load that all endpoints share side by side: set it for the task";
                problem(key, message.to_owned());
            }
        }
    }
    problems
}

/// What is wrong with the name of an endpoint, which becomes a part of the names of metrics, if anything.
pub fn id_problem(id: &str) -> Option<String> {
    let fits = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    (id.is_empty() || !id.chars().all(fits))
        .then(|| format!("has `{id}`, which cannot be part of a metric's name: use letters, digits, `-`, `_` and `.`"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Inputs {
        #[serde(skip_serializing_if = "Option::is_none")]
        flag: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<u64>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        list: Vec<u64>,
    }

    const EXCLUDES: &Excludes = &[("time", &["number"])];

    fn headers<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn what_an_endpoint_says_counts_even_when_it_is_nothing() {
        let task = Inputs { flag: Some(true), number: Some(5), ..Inputs::default() };
        let endpoint = Inputs { flag: Some(false), number: Some(0), ..Inputs::default() };
        assert_eq!(over(&endpoint, &task, EXCLUDES), endpoint);
        assert_eq!(over(&Inputs::default(), &task, EXCLUDES), task);
    }

    #[test]
    fn a_key_takes_the_place_of_those_that_it_excludes() {
        let task = Inputs { number: Some(5), ..Inputs::default() };
        let endpoint = Inputs { time: Some(1), ..Inputs::default() };
        assert_eq!(over(&endpoint, &task, EXCLUDES), endpoint);
    }

    #[test]
    fn maps_are_merged_whatever_the_case_of_their_keys_and_lists_are_replaced() {
        let task = Inputs { headers: headers([("X-A", "1"), ("X-B", "2")]), list: vec![1, 2], ..Inputs::default() };
        let endpoint = Inputs { headers: headers([("x-a", "")]), list: vec![3], ..Inputs::default() };
        let merged = over(&endpoint, &task, EXCLUDES);
        assert_eq!(merged.headers, headers([("x-a", ""), ("X-B", "2")]));
        assert_eq!(merged.list, [3]);
    }

    #[test]
    fn what_stands_under_a_key_of_a_map_is_replaced_as_a_whole() {
        let (own, task) = (
            json!({ "headers": { "A": { "env": "E" } } }),
            json!({ "headers": { "a": { "secret": "s", "key": "k" }, "b": 1 } }),
        );
        assert_eq!(over(&own, &task, &[]), json!({ "headers": { "A": { "env": "E" }, "b": 1 } }));
    }

    #[test]
    fn names_of_endpoints_fit_into_names_of_metrics() {
        for id in ["a", "get-v1.2", "A_b", "0"] {
            assert_eq!(id_problem(id), None);
            assert!(format!("http-{id}/latency-mean").parse::<crate::metric::MetricName>().is_ok());
        }
        for id in ["", "a b", "a/b", "ä"] {
            assert!(id_problem(id).is_some(), "{id}");
        }
    }
}
