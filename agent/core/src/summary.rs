//! The summary of many values by five numbers, as Iter8's A/B/n service and the results of v0.13 write it.

use serde::{Deserialize, Serialize};

/// `[count, sum, smallest, largest, sum of squares]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary([f64; 5]);

impl Summary {
    /// How many values.
    pub fn count(&self) -> u64 {
        self.0[0] as u64
    }

    /// Their mean; None without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.0[1] / self.0[0])
    }

    /// The standard deviation of a sample, `√((Σx² − (Σx)²/n) / (n − 1))`; None below two values. It loses digits when the
    /// mean is large beside it, which only whoever adds up the values can avoid.
    pub fn stddev(&self) -> Option<f64> {
        let [count, sum, _, _, squares] = self.0;
        (self.count() > 1).then(|| ((squares - sum * sum / count) / (count - 1.0)).max(0.0).sqrt())
    }

    /// The smallest value.
    pub fn min(&self) -> Option<f64> {
        (self.count() > 0).then_some(self.0[2])
    }

    /// The largest value.
    pub fn max(&self) -> Option<f64> {
        (self.count() > 0).then_some(self.0[3])
    }
}
