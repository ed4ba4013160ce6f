//! From the values of AutoX to the objects that install it: merge with the chart's defaults, check, render. Pure. Whether a
//! cluster has what the values name is the business of [`crate::served`], installing that of [`crate::install`].

use iter8_core::autox::refs;
use iter8_core::autox::values::{AutoxValues, SpecValues, Trigger, problems, schema};
use iter8_core::schema::{Problem, prune_unknown};
use iter8_core::{autox, values};
use serde_json::Value;

use crate::chart::{Chart, ChartError, Release, coalesce, render};
use crate::experiment::{self, ExperimentError, UnknownKeys};
use crate::names::{Group, MANAGER, Revision};

/// Values of AutoX that passed every check, with their chart.
#[derive(Debug)]
pub struct CheckedAutox {
    chart: Chart,
    /// What the user set, merged; this is what an installation keeps.
    pub user_values: Value,
    /// With the chart's defaults.
    pub values: Value,
    /// The same, read.
    pub autox: AutoxValues,
    /// Remarks for the user.
    pub warnings: Vec<String>,
}

/// Merges what the user set with the chart's defaults and checks it, each experiment's values included.
///
/// # Errors
/// Every problem of the values.
pub fn check(user_values: Value, unknown_keys: UnknownKeys) -> Result<CheckedAutox, ExperimentError> {
    let chart = Chart::embedded("autox")?;
    let (mut values, mut warnings) = coalesce(&user_values, &chart.defaults);
    let found = problems(&values, env!("CARGO_PKG_VERSION"));
    let (unknown, mut wrong): (Vec<Problem>, Vec<Problem>) = found.into_iter().partition(|problem| problem.unknown_key);
    if unknown_keys == UnknownKeys::Warn {
        warnings.extend(unknown.iter().map(ToString::to_string));
    }
    if unknown_keys == UnknownKeys::Refuse {
        wrong.extend(unknown);
    } else if !unknown.is_empty() {
        without_unknown_keys(&mut values);
        // Names and triggers are only looked at where every key is known.
        wrong = problems(&values, env!("CARGO_PKG_VERSION"));
    }
    if !wrong.is_empty() {
        return Err(ExperimentError::Values(wrong));
    }
    let autox: AutoxValues = serde_json::from_value(values.clone())
        .map_err(|error| ExperimentError::Values(vec![Problem::at("", error.to_string())]))?;
    for (name, group) in &autox.groups {
        for (spec, experiment) in &group.specs {
            let place = format!("groups.{name}.specs.{spec}.values");
            warnings.extend(tried(&place, &group.trigger, experiment)?);
        }
    }
    Ok(CheckedAutox { chart, user_values, values, autox, warnings })
}

fn without_unknown_keys(values: &mut Value) {
    prune_unknown(values, &schema());
    let of_experiments = values::schema();
    let groups = values.get_mut("groups").and_then(Value::as_object_mut);
    for group in groups.into_iter().flat_map(|groups| groups.values_mut()) {
        let specs = group.get_mut("specs").and_then(Value::as_object_mut);
        for spec in specs.into_iter().flat_map(|specs| specs.values_mut()) {
            if let Some(values) = spec.get_mut("values") {
                prune_unknown(values, &of_experiments);
            }
        }
    }
}

/// Checks the values of an experiment as a launch would, for a trigger that is made up. Returns its warnings.
fn tried(place: &str, trigger: &Trigger, spec: &SpecValues) -> Result<Vec<String>, ExperimentError> {
    let under = |problem: Problem| problem.under(place);
    let filled = refs::fill(&spec.values, &refs::Trigger::sample(trigger))
        .map_err(|problems| ExperimentError::Values(problems.into_iter().map(under).collect()))?;
    let checked = match experiment::check(Value::Object(filled), UnknownKeys::Refuse) {
        Ok(checked) => checked,
        // A place that refers to the trigger cannot be judged before there is one; all others were.
        Err(ExperimentError::Values(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(checked.warnings.iter().map(|warning| warning.replacen('`', &format!("`{place}."), 1)).collect())
}

impl CheckedAutox {
    /// The objects of an installation.
    ///
    /// # Errors
    /// A template of the chart fails.
    pub fn objects(&self, name: &Group, namespace: &str) -> Result<Vec<Value>, ChartError> {
        let release = Release {
            name: name.clone(),
            namespace: namespace.to_owned(),
            revision: Revision::FIRST,
            service: MANAGER.to_owned(),
        };
        render(&self.chart, &release, &self.values)
    }
}

/// Every group of experiments of a configuration, with its namespace. A name that cannot be a group's was never launched.
pub fn experiments(autox: &AutoxValues) -> impl Iterator<Item = (String, Group)> {
    autox.groups.iter().flat_map(|(name, group)| {
        let namespace = &group.trigger.namespace.0;
        let specs = group.specs.keys().filter_map(move |spec| Group::new(autox::experiment_group(name, spec)).ok());
        specs.map(move |experiment| (namespace.clone(), experiment))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(change: impl FnOnce(&mut Value)) -> Value {
        let mut values = json!({ "groups": { "web": {
            "trigger": { "name": "web", "namespace": "shop", "group": "apps", "version": "v1", "resource": "deployments" },
            "specs": { "load": { "name": "iter8", "values": {
                "tasks": ["ready", "http"],
                "ready": { "deploy": "{{ .trigger.name }}", "service": "web" },
                "http": { "url": "http://web.shop" },
            } } },
        } } });
        change(&mut values["groups"]["web"]);
        values
    }

    fn objects(values: Value) -> Vec<Value> {
        check(values, UnknownKeys::Refuse).unwrap().objects(&Group::new("autox").unwrap(), "iter8").unwrap()
    }

    /// The rules of the Role in a namespace, each as `GROUP/RESOURCES NAMES VERBS`.
    fn rules(objects: &[Value], namespace: &str) -> Vec<String> {
        let role = |object: &&Value| object["kind"] == "Role" && object["metadata"]["namespace"] == namespace;
        let words = |value: &Value| {
            let words: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            words.join(",")
        };
        let rules = objects.iter().filter(role).flat_map(|role| role["rules"].as_array().unwrap());
        rules
            .map(|rule| {
                let [groups, resources, names, verbs] =
                    ["apiGroups", "resources", "resourceNames", "verbs"].map(|key| words(&rule[key]));
                format!("{groups}/{resources} {names} {verbs}")
            })
            .collect()
    }

    #[test]
    fn a_controller_may_see_its_triggers_and_launch_beside_them_and_nothing_else() {
        let objects = objects(values(|_| ()));
        assert!(objects.iter().all(|object| !object["kind"].as_str().unwrap().starts_with("Cluster")));
        assert_eq!(
            rules(&objects, "shop"),
            [
                "apps/deployments  get,list,watch",
                "events.k8s.io/events  create,patch",
                "/secrets  get,list,watch,create,update,patch,delete",
                "/serviceaccounts  get,list,create,patch,delete",
                "batch/jobs,cronjobs  get,list,create,patch,delete",
                "rbac.authorization.k8s.io/roles,rolebindings  get,list,create,patch,delete",
                "/services web get",
                "apps/deployments web get",
                "discovery.k8s.io/endpointslices  list",
            ]
        );
        assert_eq!(
            rules(&objects, "iter8"),
            [
                "/secrets autox-config get,list,watch",
                "coordination.k8s.io/leases  create",
                "coordination.k8s.io/leases autox get,update,patch",
                "events.k8s.io/events  create,patch",
            ]
        );
    }

    #[test]
    fn what_is_waited_for_elsewhere_may_be_looked_at_and_its_permissions_passed_on() {
        let objects = objects(values(|web| {
            web["specs"]["load"]["values"]["ready"] =
                json!({ "namespace": "db", "statefulset": "{{ .trigger.labels.db }}", "deploy": "a" });
        }));
        assert_eq!(
            rules(&objects, "db"),
            [
                "rbac.authorization.k8s.io/roles,rolebindings  get,list,create,patch,delete",
                "apps/deployments a get",
                "apps/statefulsets  get",
            ]
        );
        let named = |object: &&Value| object["metadata"]["name"] == "autox-experiments.iter8";
        assert_eq!(objects.iter().filter(named).count(), 4, "a Role and a RoleBinding in each namespace of others");
    }

    #[test]
    fn a_namespace_that_only_a_trigger_knows_is_refused() {
        let values = values(|web| {
            web["specs"]["load"]["values"]["ready"]["namespace"] = json!("{{ .trigger.labels.team }}");
        });
        let error = check(values, UnknownKeys::Refuse).unwrap().objects(&Group::default(), "iter8").unwrap_err();
        assert!(error.to_string().contains("groups.web.specs.load.values.ready refers to the trigger"), "{error}");
    }

    #[test]
    fn unknown_keys_of_experiments_are_left_out_when_asked() {
        let values = || values(|web| web["specs"]["load"]["values"]["http"]["ulr"] = json!(1));
        assert!(matches!(check(values(), UnknownKeys::Refuse), Err(ExperimentError::Values(_))));
        let checked = check(values(), UnknownKeys::Warn).unwrap();
        assert_eq!(checked.warnings.len(), 1, "{:?}", checked.warnings);
        assert!(checked.autox.groups["web"].specs["load"].values["http"].get("ulr").is_none());
    }

    #[test]
    fn a_credential_in_the_values_of_an_experiment_is_warned_of_with_its_place() {
        let checked = check(
            values(|web| {
                let values = &mut web["specs"]["load"]["values"];
                values["tasks"] = json!(["http", "github"]);
                values["github"] = json!({ "owner": "o", "repo": "r", "token": "t" });
            }),
            UnknownKeys::Refuse,
        );
        let warnings = checked.unwrap().warnings;
        assert!(warnings[0].starts_with("`groups.web.specs.load.values.github.token` stands"), "{warnings:?}");
    }

    #[test]
    fn the_configuration_reaches_the_controller_as_it_was_given() {
        use base64::Engine as _;
        let given = values(|_| ());
        let objects = objects(given.clone());
        let config = objects.iter().find(|object| object["metadata"]["name"] == "autox-config").unwrap();
        let text = config["data"]["autox.yaml"].as_str().unwrap();
        let text = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), given);
    }
}
