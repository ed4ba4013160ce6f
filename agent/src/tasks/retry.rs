//! Whether a request is made once more, and after how long. Making it, and how long that may take in all, is the business of
//! whoever asks.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;

/// The wait after the first attempt when the server does not say; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The wait doubles this often at most.
const DOUBLED_MAX: u64 = 10;

/// What an attempt says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The same request would be answered as this one was.
    Final,
    /// The same request may be answered otherwise at another time.
    Passing {
        /// How long the server wants to be left alone.
        asked: Option<Duration>,
    },
}

impl Outcome {
    /// That of an attempt without an answer, such as one whose connection failed.
    pub(crate) const NO_ANSWER: Self = Self::Passing { asked: None };

    /// What an answer that came at `now` says: 429 and 5xx are passing. GitHub refuses what comes too often with 403 as well,
    /// and says until when.
    pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        let asked = headers.get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
        let is_busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let is_refused_for_now = status == StatusCode::FORBIDDEN && asked.is_some();
        if is_busy || is_refused_for_now { Self::Passing { asked } } else { Self::Final }
    }

    /// How long to wait before the next attempt, after so many of at most `attempts_max`; None when there is none.
    pub(crate) fn wait(self, attempts: u64, attempts_max: u64) -> Option<Duration> {
        match self {
            Self::Passing { asked } if attempts < attempts_max => {
                let doubled = attempts.saturating_sub(1).min(DOUBLED_MAX);
                Some(asked.unwrap_or(FIRST_WAIT.saturating_mul(1 << doubled)))
            }
            Self::Passing { .. } | Self::Final => None,
        }
    }
}

/// A wait in seconds or until a date (RFC 9110, 10.2.3).
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(until.duration_since(now).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_445_412_480, 0);

    fn outcome(status: u16, retry_after: Option<&str>) -> Outcome {
        let headers = retry_after.map(|text| (header::RETRY_AFTER, text.parse().unwrap()));
        Outcome::of_answer(status.try_into().unwrap(), &HeaderMap::from_iter(headers), NOW)
    }

    #[test]
    fn a_server_that_is_busy_or_broken_may_be_asked_again_and_says_when() {
        let passing = |seconds: Option<u64>| Outcome::Passing { asked: seconds.map(Duration::from_secs) };
        for (status, retry_after, expected) in [
            (429, None, passing(None)),
            (503, Some("7"), passing(Some(7))),
            // A date that is over asks for nothing.
            (503, Some("Wed, 21 Oct 2015 07:28:30 GMT"), passing(Some(30))),
            (503, Some("Wed, 21 Oct 2015 07:20:00 GMT"), passing(Some(0))),
            (502, Some("soon"), passing(None)),
            (403, Some("60"), passing(Some(60))),
            (403, None, Outcome::Final),
            (200, Some("60"), Outcome::Final),
            (400, None, Outcome::Final),
            (307, Some("1"), Outcome::Final),
        ] {
            assert_eq!(outcome(status, retry_after), expected, "{status} {retry_after:?}");
        }
    }

    #[test]
    fn waits_double_unless_the_server_says_and_end_with_the_last_attempt() {
        let waits: Vec<_> = (1..=4).map(|attempts| Outcome::NO_ANSWER.wait(attempts, 4)).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(waits, [ms(500), ms(1000), ms(2000), None]);
        assert_eq!(Outcome::NO_ANSWER.wait(u64::MAX - 1, u64::MAX), ms(512_000));
        assert_eq!(outcome(503, Some("7")).wait(3, 4), ms(7000));
        assert_eq!(outcome(503, Some("7")).wait(4, 4), None);
        assert_eq!(Outcome::Final.wait(1, 4), None);
    }
}
