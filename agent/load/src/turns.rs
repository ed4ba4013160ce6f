//! Several loads that take turns at one schedule: which of its requests belong to which. When they are sent is the
//! schedule's business.

use std::sync::Arc;

/// The requests of a schedule that belong to one of several loads. They repeat after each round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    /// Their numbers in the first round, ascending.
    places: Arc<[u64]>,
    /// How many requests a round has.
    round: u64,
}

impl Turns {
    /// One for each of `weights`, which are at least 1: every request belongs to exactly one, as many as its weight says,
    /// and as evenly as whole requests can be (the smooth weighted round-robin of nginx, commit 52327e0627f4).
    pub fn by_weight(weights: &[u64]) -> Vec<Self> {
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let weights: Vec<i64> =
            weights.iter().map(|weight| i64::try_from(weight / divisor).unwrap_or(i64::MAX)).collect();
        let round: i64 = weights.iter().sum();
        let mut credit = vec![0; weights.len()];
        let mut places = vec![Vec::new(); weights.len()];
        for number in 0..round {
            credit.iter_mut().zip(&weights).for_each(|(credit, weight)| *credit += weight);
            // The first one of the richest.
            let Some(next) = (0..credit.len()).rev().max_by_key(|index| credit[*index]) else { break };
            credit[next] -= round;
            places[next].push(number.unsigned_abs());
        }
        places.into_iter().map(|places| Self { places: places.into(), round: round.unsigned_abs() }).collect()
    }

    /// The number in the schedule of the own request `number`.
    pub(crate) fn place(&self, number: u64) -> u64 {
        let length = self.places.len() as u64;
        let (round, within) = (number / length, usize::try_from(number % length).unwrap_or_default());
        round.saturating_mul(self.round).saturating_add(self.places[within])
    }

    /// Which part of all requests they are.
    pub(crate) fn part(&self) -> f64 {
        self.places.len() as f64 / self.round as f64
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn turns_are_spread_over_the_round() {
        let turns = Turns::by_weight(&[50, 10, 10]);
        // nginx's own example: a a b a c a a.
        assert_eq!(turns[0], Turns { places: [0, 1, 3, 5, 6].into(), round: 7 });
        assert_eq!((&turns[1].places[..], &turns[2].places[..]), (&[2][..], &[4][..]));
        assert_eq!((turns[1].place(0), turns[1].place(2), turns[1].part()), (2, 16, 1.0 / 7.0));
    }

    proptest! {
        #[test]
        fn every_request_belongs_to_one(weights in prop::collection::vec(1u64..20, 1..6)) {
            let turns = Turns::by_weight(&weights);
            let total: u64 = weights.iter().sum();
            let mut seen: Vec<u64> =
                turns.iter().zip(&weights).flat_map(|(turns, weight)| (0..*weight).map(|n| turns.place(n))).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..total).collect::<Vec<_>>());
        }

        #[test]
        fn nobody_is_ever_ahead_or_behind_by_more_than_a_request_of_each_other(weights in prop::collection::vec(1u64..20, 1..6)) {
            let total: u64 = weights.iter().sum();
            for (turns, weight) in Turns::by_weight(&weights).iter().zip(&weights) {
                for number in 0..*weight {
                    let due = (turns.place(number) + 1) as f64 * *weight as f64 / total as f64;
                    prop_assert!((due - (number + 1) as f64).abs() <= weights.len() as f64, "{number}: {due}");
                }
            }
        }
    }
}
