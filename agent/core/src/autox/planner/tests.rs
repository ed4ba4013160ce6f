//! The planner over time: single cases, and random histories of changes, crashes and failures against a model of the
//! cluster.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::autox::{AUTOX_LABEL, VERSION_LABEL};

const AUTOX: &str = "iter8/autox";
const SPACE: &str = "shop";

/// A configuration with one group `web`, whose specs have these URLs.
fn values(options: &serde_json::Value, specs: &[(&str, &str)]) -> AutoxValues {
    let specs: serde_json::Map<String, serde_json::Value> = specs
        .iter()
        .map(|(name, url)| {
            ((*name).to_owned(), json!({ "name": "iter8", "values": { "tasks": ["http"], "http": { "url": url } } }))
        })
        .collect();
    let mut group = json!({
        "trigger": { "name": "web", "namespace": SPACE, "group": "apps", "version": "v1", "resource": "deployments" },
        "specs": specs,
    });
    group.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    serde_json::from_value(json!({ "groups": { "web": group } })).unwrap()
}

fn seen(version: &str, is_marked: bool) -> View {
    let mut labels = BTreeMap::from([(VERSION_LABEL.to_owned(), version.to_owned())]);
    if is_marked {
        labels.insert(AUTOX_LABEL.to_owned(), "true".to_owned());
    }
    let version = Some(version.to_owned()).filter(|version| !version.is_empty());
    View::Present(Seen { uid: "u".into(), version, labels, is_rolled_out: true })
}

fn key(spec: &str) -> Key {
    Key { namespace: SPACE.into(), experiment: experiment_group("web", spec) }
}

fn planner(options: &serde_json::Value) -> Planner {
    let mut planner = Planner::new(AUTOX);
    planner.configure(values(options, &[("a", "http://a")]));
    planner.records(SPACE, vec![]);
    planner
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The version that is launched, if something is.
fn launched(turn: &Turn) -> Option<&str> {
    match turn.work.as_slice() {
        [Work::Launch { cause, .. }] => Some(&cause.version),
        [] => None,
        other => panic!("{other:?}"),
    }
}

fn succeed(planner: &mut Planner, turn: &Turn, revision: u32) {
    let [Work::Launch { key, cause, .. }] = turn.work.as_slice() else { panic!("{turn:?}") };
    let record = Record { cause: cause.clone(), revision, stage: Stage::Launched };
    planner.done(key, Done::Launched(record), seconds(0));
}

#[test]
fn nothing_is_done_before_trigger_and_records_are_known() {
    let mut planner = Planner::new(AUTOX);
    planner.configure(values(&json!({}), &[("a", "http://a")]));
    planner.observe("web", seen("1", true), seconds(0));
    assert_eq!(planner.turn(seconds(0)).work, []);
    planner.records(SPACE, vec![]);
    assert_eq!(launched(&planner.turn(seconds(0))), Some("1"));
}

#[test]
fn a_version_is_launched_once_and_what_is_under_way_is_not_begun_again() {
    let mut planner = planner(&json!({}));
    planner.observe("web", seen("1", true), seconds(0));
    let turn = planner.turn(seconds(0));
    assert_eq!(launched(&turn), Some("1"));
    planner.observe("web", seen("2", true), seconds(1));
    assert_eq!(planner.turn(seconds(1)).work, []);
    succeed(&mut planner, &turn, 1);
    let turn = planner.turn(seconds(2));
    assert_eq!(launched(&turn), Some("2"));
    succeed(&mut planner, &turn, 2);
    assert_eq!(planner.turn(seconds(3)).work, []);
    // What the watch tells late of the earlier launch changes nothing.
    let Some(Record { cause, .. }) = planner.experiments[&key("a")].record.clone() else { panic!() };
    planner.record(key("a"), Some(Record { cause, revision: 2, stage: Stage::Launching }));
    assert_eq!(planner.turn(seconds(3)).work, []);
}

#[test]
fn a_failure_is_tried_again_later_and_at_once_when_something_changes() {
    let mut planner = planner(&json!({}));
    planner.observe("web", seen("1", true), seconds(0));
    for (at, wake) in [(0, 1), (1, 3), (3, 7)] {
        assert_eq!(launched(&planner.turn(seconds(at))), Some("1"), "{at}");
        planner.done(&key("a"), Done::Failed, seconds(at));
        let turn = planner.turn(seconds(at));
        assert_eq!((launched(&turn), turn.wake), (None, Some(seconds(wake))));
    }
    planner.observe("web", seen("2", true), seconds(4));
    assert_eq!(launched(&planner.turn(seconds(4))), Some("2"));
    assert_eq!(retry_after(30), LAST_RETRY);
}

#[test]
fn a_debounced_version_has_to_stand() {
    let mut planner = planner(&json!({ "debounce": "10s" }));
    planner.observe("web", seen("1", true), seconds(0));
    let turn = planner.turn(seconds(0));
    assert_eq!((launched(&turn), turn.wake), (None, Some(seconds(10))));
    planner.observe("web", seen("2", true), seconds(9));
    assert_eq!(planner.turn(seconds(10)).wake, Some(seconds(19)));
    // Other changes of the trigger do not start the time anew.
    let View::Present(mut other) = seen("2", true) else { panic!() };
    other.labels.insert("team".into(), "blue".into());
    planner.observe("web", View::Present(other), seconds(15));
    assert_eq!(launched(&planner.turn(seconds(19))), Some("2"));
}

#[test]
fn a_run_that_is_waited_for_is_looked_at_again_and_again() {
    let mut planner = planner(&json!({ "supersede": "wait" }));
    planner.observe("web", seen("1", true), seconds(0));
    let turn = planner.turn(seconds(0));
    succeed(&mut planner, &turn, 1);
    planner.observe("web", seen("2", true), seconds(5));
    assert_eq!(planner.turn(seconds(5)).work, [Work::Look { key: key("a") }]);
    planner.done(&key("a"), Done::Looked { runs: true }, seconds(5));
    let turn = planner.turn(seconds(5));
    assert_eq!((launched(&turn), turn.wake), (None, Some(seconds(7))));
    assert_eq!(planner.turn(seconds(7)).work, [Work::Look { key: key("a") }]);
    planner.done(&key("a"), Done::Looked { runs: false }, seconds(7));
    assert_eq!(launched(&planner.turn(seconds(9))), Some("2"));
}

#[test]
fn a_decision_is_told_once() {
    let mut planner = planner(&json!({}));
    planner.observe("web", seen("1", false), seconds(0));
    let told = planner.turn(seconds(0)).decisions;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].group.as_deref(), &told[0].action), (Some("web"), &Action::Keep(Why::NotMarked)));
    assert!(told[0].is_first);
    assert_eq!(planner.turn(seconds(1)).decisions, []);
    planner.observe("web", View::Absent, seconds(2));
    assert!(planner.turn(seconds(2)).decisions.iter().all(|decision| !decision.is_first));
}

#[test]
fn an_experiment_that_is_not_configured_any_more_is_deleted() {
    let mut planner = planner(&json!({}));
    planner.observe("web", seen("1", true), seconds(0));
    let turn = planner.turn(seconds(0));
    succeed(&mut planner, &turn, 1);
    planner.configure(values(&json!({}), &[("b", "http://b")]));
    let turn = planner.turn(seconds(1));
    assert!(turn.work.contains(&Work::Delete { key: key("a"), why: Why::NotConfigured }), "{turn:?}");
    assert_eq!(turn.work.len(), 2, "the trigger is the same, so that it need not be seen again: {turn:?}");
}

/// The cluster, as far as AutoX sees and changes it.
#[derive(Debug, Default)]
struct Cluster {
    /// Version and mark of the trigger, if it is there.
    trigger: Option<(u8, bool)>,
    /// By experiment: its record, and the runs that were ever started for it.
    experiments: BTreeMap<Key, Stored>,
    /// What was done, for the reader of a failure, and for the check that nothing is launched twice.
    log: Vec<(Key, Happened)>,
}

#[derive(Debug, Default)]
struct Stored {
    record: Option<Record>,
    /// Revisions whose job is there.
    jobs: BTreeSet<u32>,
    next: u32,
}

#[derive(Debug, PartialEq)]
enum Happened {
    /// The record of a launch was written.
    Begun(Cause),
    /// Its job was made.
    Started(Cause),
    Deleted,
}

/// Work on its way through the cluster; a crash can come between any two steps.
#[derive(Debug)]
struct UnderWay {
    work: Work,
    step: u8,
}

#[derive(Clone, Debug)]
enum Op {
    Version(u8),
    Mark(bool),
    Remove,
    Configure(u8),
    /// What changed is told to the controller: trigger and records, in full or only the trigger.
    See {
        records: bool,
    },
    Blind,
    Step {
        which: usize,
        fails: bool,
    },
    Crash,
    Pass(u16),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        3 => (0_u8..4).prop_map(Op::Version),
        2 => any::<bool>().prop_map(Op::Mark),
        1 => Just(Op::Remove),
        1 => (0_u8..4).prop_map(Op::Configure),
        6 => any::<bool>().prop_map(|records| Op::See { records }),
        1 => Just(Op::Blind),
        8 => (0_usize..4, prop::bool::weighted(0.1)).prop_map(|(which, fails)| Op::Step { which, fails }),
        2 => Just(Op::Crash),
        2 => (0_u16..400).prop_map(Op::Pass),
    ];
    prop::collection::vec(op, 0..120)
}

/// Controller and cluster together.
struct Model {
    cluster: Cluster,
    planner: Planner,
    config: u8,
    under_way: Vec<UnderWay>,
    now: Duration,
}

impl Model {
    fn new() -> Self {
        let (cluster, planner, config, under_way) = (Cluster::default(), Planner::new(AUTOX), 0, vec![]);
        let mut model = Self { cluster, planner, config, under_way, now: seconds(0) };
        model.start();
        model
    }

    fn config(&self) -> AutoxValues {
        match self.config {
            0 => values(&json!({}), &[("a", "http://a"), ("b", "http://b")]),
            1 => values(&json!({}), &[("a", "http://a")]),
            2 => values(&json!({ "debounce": "5s" }), &[("a", "http://other"), ("b", "http://b")]),
            _ => AutoxValues::default(),
        }
    }

    fn start(&mut self) {
        self.planner = Planner::new(AUTOX);
        self.planner.configure(self.config());
        self.under_way.clear();
    }

    fn view(&self) -> View {
        self.cluster.trigger.map_or(View::Absent, |(version, is_marked)| {
            // Version 0 is the empty one.
            seen(&if version == 0 { String::new() } else { version.to_string() }, is_marked)
        })
    }

    fn see_records(&mut self) {
        let records = self.cluster.experiments.iter();
        let records = records.filter_map(|(key, stored)| Some((key.experiment.clone(), stored.record.clone()?)));
        self.planner.records(SPACE, records.collect());
    }

    fn turn(&mut self) {
        let turn = self.planner.turn(self.now);
        self.under_way.extend(turn.work.into_iter().map(|work| UnderWay { work, step: 0 }));
    }

    fn apply(&mut self, op: &Op) {
        let now = self.now;
        match op {
            Op::Version(version) => {
                let is_marked = self.cluster.trigger.is_some_and(|(_, marked)| marked);
                self.cluster.trigger = Some((*version, is_marked));
            }
            Op::Mark(is_marked) => {
                if let Some((_, marked)) = &mut self.cluster.trigger {
                    *marked = *is_marked;
                }
            }
            Op::Remove => self.cluster.trigger = None,
            Op::Configure(config) => {
                self.config = *config;
                self.planner.configure(self.config());
            }
            Op::See { records } => {
                self.planner.observe("web", self.view(), now);
                if *records {
                    self.see_records();
                }
            }
            Op::Blind => self.planner.observe("web", View::Unknown, now),
            Op::Step { which, fails } => self.step(*which, *fails),
            Op::Crash => self.start(),
            Op::Pass(tenths) => self.now += Duration::from_millis(u64::from(*tenths) * 100),
        }
        self.turn();
    }

    fn step(&mut self, which: usize, fails: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let at = which % self.under_way.len();
        let UnderWay { work, step } = &mut self.under_way[at];
        let key = match work {
            Work::Launch { key, .. } | Work::Delete { key, .. } | Work::Look { key } => key.clone(),
        };
        let done = if fails { Some(Done::Failed) } else { self.cluster.advance(work, *step) };
        match done {
            None => *step += 1,
            Some(done) => {
                self.under_way.remove(at);
                self.planner.done(&key, done, self.now);
            }
        }
    }

    /// Lets everything be seen and done, until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.apply(&Op::See { records: true });
            while !self.under_way.is_empty() {
                self.apply(&Op::Step { which: 0, fails: false });
            }
            self.now += LAST_RETRY;
        }
    }

    /// What is wrong in the end.
    fn wrong(&self) -> Option<String> {
        let version = self.cluster.trigger.filter(|(version, is_marked)| *is_marked && *version > 0);
        let version = version.map(|(version, _)| version.to_string());
        let mut wanted: BTreeMap<Key, Cause> = BTreeMap::new();
        for (name, group) in &self.config().groups {
            for (key, slot) in slots(name, group) {
                let Wanted::Experiment { cause, .. } = slot.wanted(AUTOX) else { continue };
                if let Some(version) = &version {
                    wanted.insert(key, Cause { version: version.clone(), ..cause });
                }
            }
        }
        for (key, stored) in &self.cluster.experiments {
            let cause = stored.record.as_ref().map(|record| &record.cause);
            if cause != wanted.get(key) || stored.record.as_ref().is_some_and(|record| record.stage != Stage::Launched)
            {
                return Some(format!("{key:?} is {:?}, wanted {:?}", stored.record, wanted.get(key)));
            }
            if stored.jobs.len() != usize::from(cause.is_some()) {
                return Some(format!("{key:?} has the jobs {:?}", stored.jobs));
            }
        }
        if let Some(missing) = wanted.keys().find(|key| !self.cluster.experiments.contains_key(key)) {
            return Some(format!("{missing:?} was never launched"));
        }
        for key in self.cluster.experiments.keys() {
            let of_key = self.cluster.log.iter().filter(|(of, _)| of == key).map(|(_, happened)| happened);
            let begun = of_key.clone().filter(|happened| !matches!(happened, Happened::Started(_)));
            let begun: Vec<&Happened> = begun.collect();
            let twice = |pair: &[&Happened]| pair[0] == pair[1] && *pair[0] != Happened::Deleted;
            let of_key: Vec<&Happened> = of_key.collect();
            // Beside that, every job belongs to the launch that was begun just before it.
            let stray = |pair: &[&Happened]| match pair {
                [before, Happened::Started(cause)] => **before != Happened::Begun(cause.clone()),
                _ => false,
            };
            if begun.windows(2).any(twice) || of_key.windows(2).any(stray) {
                return Some(format!("{key:?} was launched twice for one version: {of_key:?}"));
            }
        }
        None
    }
}

impl Cluster {
    /// One step of work, as the launch and the deletion of iter8-cluster do them: each reads the record afresh, and only
    /// writes that the record allows happen.
    fn advance(&mut self, work: &Work, step: u8) -> Option<Done> {
        match work {
            Work::Look { .. } => Some(Done::Looked { runs: false }),
            Work::Delete { key, .. } => {
                let stored = self.experiments.entry(key.clone()).or_default();
                if step == 0 {
                    if let Some(record) = &mut stored.record {
                        record.stage = Stage::Deleting;
                    }
                    self.log.push((key.clone(), Happened::Deleted));
                    return None;
                }
                if step == 1 {
                    stored.jobs.clear();
                    return None;
                }
                stored.record = None;
                Some(Done::Deleted)
            }
            Work::Launch { key, cause, .. } => {
                let stored = self.experiments.entry(key.clone()).or_default();
                let same = |record: &&Record| record.cause == *cause && record.stage != Stage::Deleting;
                let same = stored.record.as_ref().filter(same);
                match (step, same) {
                    (_, Some(record)) if record.stage == Stage::Launched => Some(Done::Launched(record.clone())),
                    (0, Some(_)) => None,
                    (0, None) => {
                        stored.next += 1;
                        let record = Record { cause: cause.clone(), revision: stored.next, stage: Stage::Launching };
                        stored.record = Some(record);
                        self.log.push((key.clone(), Happened::Begun(cause.clone())));
                        None
                    }
                    (_, None) => Some(Done::Failed),
                    (1, Some(record)) => {
                        if !stored.jobs.contains(&record.revision) {
                            stored.jobs = BTreeSet::from([record.revision]);
                            self.log.push((key.clone(), Happened::Started(cause.clone())));
                        }
                        None
                    }
                    (_, Some(record)) => {
                        let record = Record { stage: Stage::Launched, ..record.clone() };
                        stored.record = Some(record.clone());
                        Some(Done::Launched(record))
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn whatever_happens_each_current_version_is_launched_once_and_nothing_is_left_behind(ops in ops()) {
        let mut model = Model::new();
        ops.iter().for_each(|op| model.apply(op));
        model.settle();
        prop_assert_eq!(model.wrong(), None);
    }
}
