//! The permissions that AutoX gets are those that it needs: each request of a launch is held against the Roles that are
//! rendered, and each permission of an experiment against what AutoX may give on.

use iter8_testkit::api_server::ApiServer;
use serde_json::{Value, json};

use crate::autox::{values, write};
use crate::plugin::Plugin;

/// A rule of a Role.
#[derive(Debug)]
struct Rule {
    groups: Vec<String>,
    resources: Vec<String>,
    /// None stands for every name.
    names: Option<Vec<String>>,
    verbs: Vec<String>,
}

impl Rule {
    fn read(rule: &Value) -> Self {
        let words = |key: &str| {
            let words = rule[key].as_array()?.iter().filter_map(Value::as_str);
            Some(words.map(str::to_owned).collect::<Vec<String>>())
        };
        let [groups, resources, verbs] =
            ["apiGroups", "resources", "verbs"].map(|key| words(key).expect("every rule has them"));
        Self { groups, resources, names: words("resourceNames"), verbs }
    }

    fn allows(&self, verb: &str, group: &str, resource: &str, name: Option<&str>) -> bool {
        let has = |list: &[String], word: &str| list.iter().any(|known| known == word);
        let is_name = match (&self.names, name) {
            (None, _) => true,
            (Some(names), Some(name)) => has(names, name),
            (Some(_), None) => false,
        };
        has(&self.verbs, verb) && has(&self.groups, group) && has(&self.resources, resource) && is_name
    }
}

/// The rules in a namespace among Roles.
fn rules(objects: &[Value], namespace: &str) -> Vec<Rule> {
    let here = objects.iter().filter(|object| object["metadata"]["namespace"] == namespace);
    here.filter(|object| object["kind"] == "Role")
        .flat_map(|role| role["rules"].as_array().into_iter().flatten())
        .map(Rule::read)
        .collect()
}

/// Values of an experiment that waits for objects of its own namespace and of another.
fn waiting() -> Value {
    let mut values = values();
    let experiment = &mut values["groups"]["web"]["specs"]["load"]["values"];
    experiment["tasks"] = json!(["ready", "http", "assess"]);
    experiment["ready"] = json!({
        "deploy": "{{ .trigger.name }}", "service": "web",
        "objects": [
            { "version": "v1", "resource": "services", "name": "db", "namespace": "db" },
            { "group": "apps", "version": "v1", "resource": "statefulsets", "name": "{{ .trigger.labels.db }}", "namespace": "db" },
        ],
    });
    values
}

#[test]
fn autox_may_do_what_launching_and_deleting_need_and_give_what_experiments_get() {
    let server = ApiServer::start();
    ["shop", "db"].iter().for_each(|namespace| server.create_namespace(namespace));
    let plugin = Plugin::with(&server);
    let values = waiting();
    write(&plugin, &values);
    let granted = plugin.run("autox render -n iter8 -f v.yaml").code(0).yaml();
    let mut experiment = values["groups"]["web"]["specs"]["load"]["values"].clone();
    experiment["ready"]["deploy"] = json!("web");
    experiment["ready"]["objects"][1]["name"] = json!("postgres");
    write(&plugin, &experiment);
    for line in [
        "launch -n shop -g autox-web-load -f v.yaml",
        "launch -n shop -g autox-web-load -f v.yaml --set runner=cronjob --set-string cronjobSchedule=@daily",
    ] {
        let _ = plugin.run(line).code(0);
        let roles = server.list("roles", "");
        assert!(roles.len() >= 3, "its own, and one in each namespace that it looks at: {roles:#?}");
        for namespace in ["shop", "db"] {
            let held = rules(&granted, namespace);
            for given in rules(&roles, namespace) {
                let is_held = |verb: &String| {
                    let names = given.names.as_ref().map_or(vec![None], |names| names.iter().map(Some).collect());
                    names.iter().all(|name| {
                        let name = name.map(String::as_str);
                        held.iter().any(|held| held.allows(verb, &given.groups[0], &given.resources[0], name))
                    })
                };
                assert!(given.verbs.iter().all(is_held), "AutoX cannot give {given:?} in {namespace}");
            }
        }
    }
    let _ = plugin.run("delete -n shop -g autox-web-load").code(0);
    for request in server.requests() {
        let group = request.path.strip_prefix("/apis/").and_then(|path| path.split('/').next()).unwrap_or_default();
        let rules = rules(&granted, &request.namespace);
        let name = Some(request.name.as_str()).filter(|name| !name.is_empty());
        // What is applied may be new.
        let verbs = if request.verb == "patch" { vec!["patch", "create"] } else { vec![request.verb] };
        for verb in verbs {
            let is_allowed = rules.iter().any(|rule| rule.allows(verb, group, &request.resource, name));
            assert!(is_allowed, "AutoX may not {verb} {} {name:?} in {:?}", request.resource, request.namespace);
        }
    }
}
