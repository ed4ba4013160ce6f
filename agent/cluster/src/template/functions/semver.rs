//! Versions by the rules of Semantic Versioning 2.0, with the constraints that Helm charts write.

use gotmpl::Value;
use semver::{BuildMetadata, Prerelease, Version};

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::{Dict, IntoValue as _, string};

pub(super) const FUNCTIONS: &[Function] =
    &[exactly("semver", 1, parts), exactly("semverCompare", 2, |call| compare(call).map(Value::Bool))];

/// A limit on versions.
struct Constraint {
    operator: Operator,
    /// Zeros stand for the numbers that are not given.
    limit: Version,
    /// How many of major, minor and patch are given: 0 for a lone `*`.
    given: usize,
}

#[derive(Clone, Copy)]
enum Operator {
    Equal,
    Unequal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    /// `~`: the last number that is given may grow.
    Tilde,
    /// `^`: the leftmost number that is not 0 may not change.
    Caret,
}

/// Longer ones before those they begin with.
const OPERATORS: [(&str, Operator); 12] = [
    ("!=", Operator::Unequal),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    ("", Operator::Equal),
];

/// A version of which minor and patch may be missing, as in `v1.2`; a constraint may also write them as `x` or `*`.
/// Gives how many numbers there are, too.
fn read(text: &str, wildcards: bool) -> Option<(Version, usize)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    if build == Some("") || pre == Some("") {
        return None;
    }
    let mut numbers = [0; 3];
    let mut given = 0;
    let mut wild = false;
    for (index, part) in core.split('.').enumerate() {
        let number = numbers.get_mut(index)?;
        if wildcards && matches!(part, "x" | "X" | "*") {
            wild = true;
        } else {
            *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
        }
        if !wild {
            given = index + 1;
        }
    }
    let [major, minor, patch] = numbers;
    let pre = Prerelease::new(pre.unwrap_or_default()).ok()?;
    let build = BuildMetadata::new(build.unwrap_or_default()).ok()?;
    Some((Version { major, minor, patch, pre, build }, given))
}

fn version(call: &Call<'_>, index: usize) -> gotmpl::Result<Version> {
    let text = call.str(index)?;
    let read = read(text, false).map(|(version, _)| version);
    read.ok_or_else(|| call.error(format!("`{text}` is not a semantic version")))
}

fn parts(call: &Call<'_>) -> Outcome {
    let version = version(call, 0)?;
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let dict: Dict = [
        ("Major", number(version.major)),
        ("Minor", number(version.minor)),
        ("Patch", number(version.patch)),
        ("Prerelease", string(version.pre.as_str())),
        ("Metadata", string(version.build.as_str())),
        ("Original", string(call.str(0)?)),
    ]
    .map(|(key, value)| (key.into(), value))
    .into();
    Ok(dict.into_value())
}

fn compare(call: &Call<'_>) -> gotmpl::Result<bool> {
    let text = call.str(0)?;
    let improper = || call.error(format!("`{text}` is not a constraint on versions"));
    let alternatives: Option<Vec<_>> = text.split("||").map(constraints).collect();
    let alternatives = alternatives.ok_or_else(improper)?;
    let version = version(call, 1)?;
    Ok(alternatives.iter().any(|all| {
        // A prerelease is only meant where a constraint beside this one speaks of prereleases.
        let meant = version.pre.is_empty() || all.iter().any(|constraint| !constraint.limit.pre.is_empty());
        meant && all.iter().all(|constraint| constraint.allows(&version))
    }))
}

/// The constraints between commas or blanks. A range `1.2 - 1.4` is two of them.
fn constraints(text: &str) -> Option<Vec<Constraint>> {
    let mut constraints = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (sign, operator) = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        let (first, after) = first_word(rest[sign.len()..].trim_start());
        let (limit, given) = read(first, true)?;
        rest = after.trim_start();
        match rest.strip_prefix("- ") {
            Some(last) if sign.is_empty() => {
                let (last, after) = first_word(last.trim_start());
                constraints.push(Constraint { operator: Operator::GreaterOrEqual, limit, given });
                let (limit, given) = read(last, true)?;
                constraints.push(Constraint { operator: Operator::LessOrEqual, limit, given });
                rest = after.trim_start();
            }
            _ => constraints.push(Constraint { operator: *operator, limit, given }),
        }
        rest = match rest.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if rest.is_empty() => return Some(constraints),
            None => rest,
        };
    }
}

/// What stands before the next blank or comma, and the rest.
fn first_word(text: &str) -> (&str, &str) {
    text.split_at(text.find([' ', '\t', ',']).unwrap_or(text.len()))
}

impl Constraint {
    /// The rules of `github.com/Masterminds/semver`, which Sprig uses; prereleases are looked at before.
    fn allows(&self, version: &Version) -> bool {
        let Self { limit, given, .. } = self;
        let order = version.cmp_precedence(limit);
        let same_major = version.major == limit.major;
        let same_minor = same_major && version.minor == limit.minor;
        // Whether it is one of the versions that a limit like 1.2 stands for.
        let covered = match given {
            0 => true,
            1 => same_major,
            2 => same_minor,
            _ => order.is_eq(),
        };
        match self.operator {
            Operator::Equal if *given == 3 => covered,
            Operator::Equal => order.is_ge() && covered,
            Operator::Unequal => !covered,
            Operator::Greater => order.is_gt() && !(*given < 3 && covered),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le() || covered,
            Operator::Tilde => order.is_ge() && if *given < 2 { covered } else { same_minor },
            Operator::Caret => order.is_ge() && self.is_compatible(version),
        }
    }

    /// For a version that is not below the limit.
    fn is_compatible(&self, version: &Version) -> bool {
        let same_major = version.major == self.limit.major;
        let same_minor = same_major && version.minor == self.limit.minor;
        match (&self.limit, self.given) {
            (_, 0) => true,
            (_, 1) => same_major,
            (Version { major: 1.., .. }, _) => same_major,
            (Version { minor: 1.., .. }, _) | (_, 2) => same_minor,
            _ => same_minor && version.patch == self.limit.patch,
        }
    }
}
