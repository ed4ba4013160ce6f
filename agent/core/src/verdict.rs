//! The four verdicts and how several of them combine. How one comes about is the business of [`crate::assess`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer about one objective, or about a whole experiment. Ordered from best to worst, so that the worst of
/// several is their maximum: fail > invalid > inconclusive > pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The evidence satisfies the limit.
    Pass,
    /// There is not enough evidence to say.
    Inconclusive,
    /// The measurement itself is not to be trusted.
    Invalid,
    /// The evidence violates the limit.
    Fail,
}

impl Verdict {
    /// The word used in results and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::*;

    #[test]
    fn the_worst_of_several_is_their_maximum() {
        assert_eq!([Pass, Inconclusive].iter().max(), Some(&Inconclusive));
        assert_eq!([Invalid, Inconclusive, Pass].iter().max(), Some(&Invalid));
        assert_eq!([Invalid, Fail, Pass].iter().max(), Some(&Fail));
    }
}
