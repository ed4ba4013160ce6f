//! The condition `if` of a step, in the expression language of Iter8 v0.13: read and checked before anything runs, and worked
//! out when the step's turn comes. What `assert` asks about a result is the business of [`crate::condition`].
//!
//! The language is that of antonmedv/expr, worked out by the crate expr-lang. Of its functions only those are allowed that
//! version 1.9 had, the one that v0.13 used. What could crash or hang that crate is refused here: long texts, maps, ranges
//! without end.

mod check;
mod environment;
mod token;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use expr::{Environment, Program, Value};

use crate::result::ExperimentResult;
use environment::{Truths, context, truths};

/// A condition that can be worked out.
#[derive(Clone)]
pub struct StepCondition {
    text: String,
    program: Program,
}

/// Why a text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {}", self.fault())]
pub struct ConditionError {
    /// The text.
    pub text: String,
    /// Where in it, in characters from 1; None when it is no place.
    pub position: Option<usize>,
    /// What is wrong there, and what there is instead.
    pub what: String,
}

impl ConditionError {
    /// What is wrong, as the rest of a sentence that begins with the condition or with its place.
    pub fn fault(&self) -> String {
        let at = self.position.map(|position| format!(" at position {position}")).unwrap_or_default();
        format!("is wrong{at}: {}", self.what)
    }
}

impl StepCondition {
    /// Reads and checks a condition.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let error = |(position, what): (Option<usize>, String)| {
            let position = position.map(|byte| text[..byte].chars().count() + 1);
            ConditionError { text: shortened(text), position, what }
        };
        check::check(text).map_err(error)?;
        let compiled = guarded(|| expr::compile(text)).map_err(|what| error((None, what)))?;
        let program = compiled.map_err(|refusal| error(place(text, &refusal.to_string())))?;
        let condition = Self { text: text.to_owned(), program };
        // What it makes of an experiment that has not begun shows whether it is true or false at all. It may ask for what is
        // not there yet, so that it has no value now.
        let pending = ExperimentResult::pending("", "", 1, &["http", "assess"]);
        match condition.value(&pending, 2) {
            Ok(Value::Bool(_) | Value::Nil) | Err(_) => Ok(condition),
            Ok(value) => Err(error((None, not_bool(&value)))),
        }
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds for `result`, whose experiment has so many steps.
    ///
    /// # Errors
    /// It cannot be worked out, or is neither true nor false.
    pub fn holds(&self, result: &ExperimentResult, steps: usize) -> Result<bool, ConditionError> {
        let error = |what| ConditionError { text: shortened(&self.text), position: None, what };
        match self.value(result, steps).map_err(error)? {
            Value::Bool(holds) => Ok(holds),
            value => Err(error(not_bool(&value))),
        }
    }

    fn value(&self, result: &ExperimentResult, steps: usize) -> Result<Value, String> {
        let context = context(result, steps).map_err(|error| error.to_string())?;
        let Truths { slos, completed, no_failure } = truths(result);
        let mut environment = Environment::new();
        for (name, truth) in [("SLOs", slos), ("Completed", completed), ("NoFailure", no_failure)] {
            environment.add_function(name, move |_| Ok(Value::Bool(truth)));
        }
        let worked_out = guarded(|| environment.run(&self.program, &context))?;
        worked_out.map_err(|error| format!("it cannot be worked out ({error})"))
    }
}

impl PartialEq for StepCondition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for StepCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepCondition({:?})", self.text)
    }
}

/// A defect of the crate must not end the program.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| "it cannot be worked out".to_owned())
}

fn not_bool(value: &Value) -> String {
    match value {
        Value::Nil => "it has no value, where true or false is needed: what it asks for is not there".to_owned(),
        value => {
            format!("it is {}, where true or false is needed: compare it with something", shortened(&value.to_string()))
        }
    }
}

/// Where the parser stopped, which says so as ` --> line:column`.
fn place(text: &str, refusal: &str) -> (Option<usize>, String) {
    let found = refusal.split_once("--> ").and_then(|(_, rest)| {
        let (line, column) = rest.lines().next()?.trim().split_once(':')?;
        let (line, column) = (line.parse::<usize>().ok()?, column.parse::<usize>().ok()?);
        let begin: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let offset: usize = text[begin..].chars().take(column.checked_sub(1)?).map(char::len_utf8).sum();
        Some(begin + offset)
    });
    match found {
        Some(byte) if byte >= text.len() => (Some(byte), "it ends too early".to_owned()),
        Some(byte) => (Some(byte), format!("`{}` is not expected there", shortened(&text[byte..]))),
        None => (None, shortened(refusal)),
    }
}

/// Enough of a text to recognise it.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() > MOST { text.chars().take(MOST - 1).collect::<String>() + "…" } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::result::{Phase, StepStatus};
    use crate::verdict::Verdict;

    /// A result in its third loop, of which the first step is done, with metrics of two versions and an objective.
    fn measured() -> ExperimentResult {
        let text = json!({
            "apiVersion": "iter8.tools/v1", "kind": "Result", "group": "g", "revision": 1, "phase": "Running",
            "loops": { "started": 3, "completed": 2 },
            "steps": [{ "task": "http", "status": "Succeeded" }, { "task": "slack", "status": "Running" }],
            "versions": [{ "version": "v1", "track": "baseline" }, { "version": "v2" }],
            "metrics": {
                "http/error-count": { "kind": "counter", "versions": [
                    { "latest": { "loop": 3, "value": 7.0 }, "history": [[1, 5.0], [2, 6.0], [3, 7.0]] },
                    { "latest": { "loop": 3, "value": 0.0 }, "history": [[3, 0.0]] },
                ] },
            },
            "slos": [
                { "metric": "http/error-count", "bound": "upper", "limit": 0.0, "version": 0, "verdict": "fail", "reason": "" },
                { "metric": "http/error-count", "bound": "upper", "limit": 0.0, "version": 1, "verdict": "pass", "reason": "" },
            ],
            "verdict": "fail",
        });
        serde_json::from_value(text).unwrap()
    }

    fn holds(text: &str) -> bool {
        StepCondition::parse(text).unwrap().holds(&measured(), 2).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(text: &str) -> String {
        StepCondition::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_conditions_of_v0_13_mean_what_they_meant() {
        for (text, expected) in [
            ("SLOs()", false),
            ("not SLOs()", true),
            ("!SLOs()", true),
            ("SLOs() or Completed()", false),
            ("NoFailure() && !SLOs()", true),
            ("Result.NumLoops == 2", true),
            ("Result.NumLoops % 2 == 0", true),
            ("Result.NumLoops in 1..10", true),
            ("Result.NumLoops not in [1, 3]", true),
            ("Result.NumCompletedTasks == 1", true),
            ("len(Spec) == 2", true),
            ("Result.Failure", false),
            ("Result.Insights.NumVersions == 2", true),
            ("Result.Insights.SLOsSatisfied.Upper[0][0]", false),
            ("Result.Insights.SLOsSatisfied.Upper[0][1]", true),
            ("all(Result.Insights.SLOsSatisfied.Upper, {all(#, {# == true})})", false),
            ("any(Result.Insights.SLOs.Upper, {#.Metric == \"http/error-count\"})", true),
            ("Result.Insights.NonHistMetricValues[0][\"http/error-count\"][2] > 6.5", true),
            ("Result.Insights.VersionNames[0].Track == \"baseline\" ? true : false", true),
            ("Result.Insights.VersionNames[1].Version matches \"^v\\\\d$\"", true),
            ("Result.Verdict == \"fail\"", true),
            ("count(1..5, {# % 2 == 0}) == 2", true),
        ] {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn slos_hold_for_the_verdict_pass_alone() {
        let condition = StepCondition::parse("SLOs()").unwrap();
        let mut result = measured();
        for (verdict, expected) in [
            (Some(Verdict::Pass), true),
            (Some(Verdict::Inconclusive), false),
            (Some(Verdict::Invalid), false),
            (Some(Verdict::Fail), false),
            (None, false),
        ] {
            result.verdict = verdict;
            assert_eq!(condition.holds(&result, 2), Ok(expected), "{verdict:?}");
        }
    }

    #[test]
    fn completed_and_failed_steps_are_those_of_the_present_loop() {
        let completed = StepCondition::parse("Completed()").unwrap();
        let mut result = measured();
        result.steps[1].status = StepStatus::Succeeded;
        assert_eq!(completed.holds(&result, 2), Ok(true));
        result.steps[1].status = StepStatus::Failed;
        result.phase = Phase::Failed;
        let failure = StepCondition::parse("Result.Failure and not NoFailure()").unwrap();
        assert_eq!(failure.holds(&result, 2), Ok(true));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_there_is() {
        for (text, message) in [
            (
                "Result.numLoops > 1",
                "`Result.numLoops > 1` is wrong at position 8: Result has no member `numLoops`; did you mean `NumLoops`?",
            ),
            (
                "Result.Insights.Foo == 1",
                "`Result.Insights.Foo == 1` is wrong at position 17: Result.Insights has no member `Foo`; it has NumVersions, \
                 VersionNames, MetricsInfo, NonHistMetricValues, HistMetricValues, SummaryMetricValues, SLOs, SLOsSatisfied",
            ),
            ("SLOs", "`SLOs` is wrong at position 1: SLOs is a function: write `SLOs()`"),
            ("SLO()", "`SLO()` is wrong at position 1: there is no function `SLO`; did you mean `SLOs`?"),
            (
                "not Completed() and result.NumLoops > 1",
                "`not Completed() and result.NumLoops > 1` is wrong at position 21: there is no `result`; did you mean `Result`?",
            ),
            ("len(Specs) > 1", "`len(Specs) > 1` is wrong at position 5: there is no `Specs`; did you mean `Spec`?"),
            (
                "Result.NumLoops.x > 1",
                "`Result.NumLoops.x > 1` is wrong at position 17: Result.NumLoops has no members",
            ),
            (
                "Result.Insights.SLOsSatisfied.upper[0][0]",
                "`Result.Insights.SLOsSatisfied.upper[0][0]` is wrong at position 31: Result.Insights.SLOsSatisfied has no member \
                 `upper`; did you mean `Upper`?",
            ),
            (
                "Result.Insights.VersionNames[0].name == \"v1\"",
                "`Result.Insights.VersionNames[0].name == \"v1\"` is wrong at position 33: Result.Insights.VersionNames[…] has no \
                 member `name`; it has Version, Track",
            ),
            (
                "Result.NumLoops",
                "`Result.NumLoops` is wrong: it is 0, where true or false is needed: compare it with something",
            ),
            ("Result.NumLoops ==", "`Result.NumLoops ==` is wrong at position 19: it ends too early"),
            ("1 + )", "`1 + )` is wrong at position 5: `)` closes nothing"),
            ("(1 == 1", "`(1 == 1` is wrong at position 1: `(` is never closed"),
            ("", "`` is wrong: it is empty: leave `if` out, or say when the step runs, as in SLOs()"),
            ("Result.NumLoops == 'a", "`Result.NumLoops == 'a` is wrong at position 20: the text has no end"),
            (
                "{\"a\": {\"b\": 1}} == 1",
                "`{\"a\": {\"b\": 1}} == 1` is wrong at position 1: maps cannot be written here",
            ),
            (
                "1 in 1..99999999",
                "`1 in 1..99999999` is wrong at position 7: both ends of a range are whole numbers of at most 4 digits",
            ),
            (
                "toJSON(Spec) == \"\"",
                "`toJSON(Spec) == \"\"` is wrong at position 1: there is no function `toJSON`; there are SLOs, Completed, NoFailure, len, all, none, any, one, filter, map, count",
            ),
        ] {
            assert_eq!(refused(text), message);
        }
    }

    #[test]
    fn what_is_not_there_is_said_when_it_is_asked_for() {
        let condition = StepCondition::parse("Result.Insights.SLOsSatisfied.Upper[7][0]").unwrap();
        let message = condition.holds(&measured(), 2).unwrap_err().to_string();
        assert!(message.contains("it cannot be worked out"), "{message}");
        let condition = StepCondition::parse("Result.StartTime > 5").unwrap();
        assert!(condition.holds(&measured(), 2).is_err());
    }

    #[test]
    fn long_and_deep_texts_are_refused_without_harm() {
        for text in [
            vec!["1"; 20_000].join("+"),
            vec!["1"; 1_500].join("+") + " == 2",
            "(".repeat(3_000),
            format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000)),
            format!("{}true", "not ".repeat(1_000)),
            format!("{}true", "!".repeat(4_000)),
            "Result.Insights.NonHistMetricValues".to_owned() + &"[0]".repeat(1_000),
            format!("true{}", " ? true : false".repeat(250)),
        ] {
            assert!(
                StepCondition::parse(&text).is_err()
                    || StepCondition::parse(&text).unwrap().holds(&measured(), 2).is_ok()
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in "\\PC{0,60}") {
            if let Ok(condition) = StepCondition::parse(&text) {
                let _ = condition.holds(&measured(), 2);
            }
        }

        #[test]
        fn no_sequence_of_words_does_harm(words in prop::collection::vec(prop::sample::select(vec![
            "Result", ".", "NumLoops", "Insights", "SLOs", "()", "(", ")", "[", "]", "{", "}", "#", "==", "..", "in", "not", "and",
            "or", "!", "?", ":", "1", "0.5", "\"a\"", "'b'", "len", "all", "any", "map", ",", "+", "-", "*", "/", "%", "**", "matches",
            "let", "if", "else", ";", "=", "|", "??", "?.", "nil", "true", "`", "//", "/*", "Spec", "$env",
        ]), 0..30)) {
            let text = words.join(" ");
            if let Ok(condition) = StepCondition::parse(&text) {
                let _ = condition.holds(&measured(), 2);
            }
        }
    }
}
