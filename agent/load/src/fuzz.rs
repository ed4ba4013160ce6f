//! Tries parsers with inputs that nobody thought of: those of a corpus, changed at random. The same seed gives the same inputs,
//! so that what failed once fails again. What must hold of an input is the business of whoever is tried.
//!
//! A test tries a few hundred of them. With `ITER8_FUZZ_SECONDS` it goes on for so long; an input that fails is printed, and
//! belongs into `tests/corpus/` once it does not fail any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many inputs are tried unless told otherwise.
const TRIES: u64 = 500;
/// The longest input, so that one is tried quickly.
const LONGEST: usize = 16 * 1024;

/// Tries `check`, which panics when something is wrong, with the inputs in `tests/corpus/<corpus>`, and with as many that
/// were made of them; `words` are what such inputs consist of.
pub(crate) fn fuzz(corpus: &str, words: &[&[u8]], check: impl Fn(&[u8])) {
    let inputs = inputs(corpus);
    inputs.iter().for_each(|input| tried(input, &check));
    let seconds = std::env::var("ITER8_FUZZ_SECONDS").ok();
    let until = seconds.map(|text| Instant::now() + Duration::from_secs(text.parse().expect("is a number of seconds")));
    let is_over = |number: u64| until.map_or(number >= TRIES, |until| Instant::now() >= until);
    let mut number = 0;
    while !is_over(number) {
        tried(&Mutation { random: Random(number), inputs: &inputs, words }.input(), &check);
        number += 1;
    }
}

/// The inputs in `tests/corpus/<corpus>`.
pub(crate) fn inputs(corpus: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(corpus);
    let files = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    // Folders list their files in any order.
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn tried(input: &[u8], check: impl Fn(&[u8])) {
    // What failed has been said by then, and the input comes after it.
    let passed = catch_unwind(AssertUnwindSafe(|| check(input))).is_ok();
    assert!(passed, "failed by b\"{}\"", input.escape_ascii());
}

/// SplitMix64, as in schedule.rs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Below `end`, which is above 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Makes an input out of others.
struct Mutation<'a> {
    random: Random,
    inputs: &'a [Vec<u8>],
    words: &'a [&'a [u8]],
}

impl Mutation<'_> {
    fn input(mut self) -> Vec<u8> {
        // Numbers that follow one another must not give inputs that do.
        self.random = Random(self.random.next());
        let mut input = self.random.one_of(self.inputs).clone();
        // Mostly few changes: most inputs that differ much are refused at once.
        let changes = 1 + self.random.below(3) * self.random.below(3);
        (0..changes).for_each(|_| self.change(&mut input));
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.below(input.len() + 1);
        let some = (at + 1 + random.below(8)).min(input.len());
        match random.below(8) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 => input.insert(at, random.next() as u8),
            2 => drop(input.drain(at..some)),
            3 => {
                let again = input[at..some].to_vec();
                input.splice(at..at, again.repeat(1 + random.below(3)));
            }
            4 => drop(input.splice(at..at, random.one_of(self.words).iter().copied())),
            5 => drop(input.splice(at..some, random.one_of(self.words).iter().copied())),
            6 => {
                let other = random.one_of(self.inputs);
                input.truncate(at);
                input.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
            _ => input.truncate(at),
        }
    }
}

/// The pieces of `input` when it is cut at places that follow from `seed`.
pub(crate) fn cut(input: &[u8], seed: u64) -> Vec<&[u8]> {
    let (mut random, mut rest, mut pieces) = (Random(seed), input, Vec::new());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(1 + random.below(rest.len().min(40)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
