//! Cron schedules as Kubernetes reads them (robfig/cron's standard form): five fields, or one of the `@` words.
//! Only checks; when a loop begins is the cluster's business.

/// Why a text is not a schedule.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CronError {
    /// Not five fields.
    #[error("must have five fields (minute hour day month weekday), got {fields} in `{text}`")]
    Fields {
        /// The text.
        text: String,
        /// How many fields it has.
        fields: usize,
    },
    /// One field is wrong.
    #[error("has `{text}` as {field}, which must be {low} to {high}, `*`, a range, a list or a step")]
    Field {
        /// What stands there.
        text: String,
        /// Which field it is.
        field: &'static str,
        /// The smallest number allowed there.
        low: u32,
        /// The largest number allowed there.
        high: u32,
    },
    /// A word with `@` that is not known.
    #[error("has `{0}`; known are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and @every 1h")]
    Word(String),
    /// A time zone in the text, which Kubernetes refuses.
    #[error("must not name a time zone, got `{0}`")]
    TimeZone(String),
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, words: &[] },
    Field { name: "hour", low: 0, high: 23, words: &[] },
    Field { name: "day of the month", low: 1, high: 31, words: &[] },
    Field { name: "month", low: 1, high: 12, words: &MONTHS },
    Field { name: "day of the week", low: 0, high: 6, words: &DAYS },
];

/// Checks that Kubernetes takes `text` as the schedule of a CronJob.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<(), CronError> {
    let trimmed = text.trim();
    if trimmed.starts_with("TZ=") || trimmed.starts_with("CRON_TZ=") {
        return Err(CronError::TimeZone(text.to_owned()));
    }
    if let Some(word) = trimmed.strip_prefix('@') {
        return match word {
            "yearly" | "annually" | "monthly" | "weekly" | "daily" | "midnight" | "hourly" => Ok(()),
            _ => match word.strip_prefix("every ").map(str::parse::<crate::GoDuration>) {
                Some(Ok(_)) => Ok(()),
                _ => Err(CronError::Word(trimmed.to_owned())),
            },
        };
    }
    let fields: Vec<&str> = trimmed.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(CronError::Fields { text: text.to_owned(), fields: fields.len() });
    }
    for (field, text) in FIELDS.iter().zip(fields) {
        if !text.split(',').all(|part| field.accepts(part)) {
            let (name, low, high) = (field.name, field.low, field.high);
            return Err(CronError::Field { text: text.to_owned(), field: name, low, high });
        }
    }
    Ok(())
}

impl Field {
    fn accepts(&self, part: &str) -> bool {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        if step.is_some_and(|step| !step.parse::<u32>().is_ok_and(|step| step > 0)) {
            return false;
        }
        if range == "*" || range == "?" {
            return true;
        }
        match range.split_once('-') {
            Some((from, to)) => matches!((self.number(from), self.number(to)), (Some(from), Some(to)) if from <= to),
            None => self.number(range).is_some(),
        }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let number = match word {
            Some(index) => self.low + index as u32,
            None if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (self.low..=self.high).contains(&number).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_what_kubernetes_takes() {
        for text in [
            "* * * * *",
            "*/5 * * * *",
            "0 9-17 * * mon-fri",
            "1,2,3 0 1 JAN ?",
            "5/15 * * * *",
            "@hourly",
            "@every 1h30m",
        ] {
            assert_eq!(parse(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "*/0 * * * *",
            "5-1 * * * *",
            "* * L * *",
            "@reboot",
            "@every soon",
            "1,2, * * * *",
            "TZ=UTC * * * * *",
            "x * * * *",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(
            parse("61 * * * *").unwrap_err().to_string(),
            "has `61` as minute, which must be 0 to 59, `*`, a range, a list or a step",
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
