//! Versions by the rules of Semantic Versioning 2.0, with the constraints that Helm charts write.

use gotmpl::Value;
use semver::{BuildMetadata, Prerelease, Version};

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::{Dict, IntoValue as _, string};

pub(super) const FUNCTIONS: &[Function] =
    &[exactly("semver", 1, parts), exactly("semverCompare", 2, |call| compare(call).map(Value::Bool))];

/// A version of which the end may be missing.
struct Partial {
    version: Version,
    /// How many of major, minor and patch are given: 0 for a lone `*`.
    given: usize,
}

fn parse(call: &Call<'_>, text: &str) -> gotmpl::Result<Partial> {
    read(text.trim()).ok_or_else(|| call.error(format!("`{text}` is not a semantic version")))
}

fn read(text: &str) -> Option<Partial> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').unwrap_or((text, ""));
    let (core, pre) = text.split_once('-').unwrap_or((text, ""));
    let mut numbers = [0; 3];
    let mut given = 0;
    for (index, part) in core.split('.').enumerate() {
        if matches!(part, "x" | "X" | "*") {
            break;
        }
        *numbers.get_mut(index)? = part.parse().ok()?;
        given = index + 1;
    }
    let [major, minor, patch] = numbers;
    let (pre, build) = (Prerelease::new(pre).ok()?, BuildMetadata::new(build).ok()?);
    Some(Partial { version: Version { major, minor, patch, pre, build }, given })
}

fn parts(call: &Call<'_>) -> Outcome {
    let Partial { version, .. } = parse(call, call.str(0)?)?;
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
    let version = parse(call, call.str(1)?)?.version;
    for alternative in call.str(0)?.split("||") {
        let mut all = true;
        for constraint in words(alternative) {
            all &= satisfies(call, &version, &constraint)?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The constraints between commas or blanks, each operator joined with its version.
fn words(text: &str) -> Vec<String> {
    let mut constraints: Vec<String> = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        match constraints.last_mut() {
            Some(last) if last.bytes().all(|byte| OPERATORS.contains(&byte)) => last.push_str(word),
            _ => constraints.push(word.to_owned()),
        }
    }
    constraints
}

const OPERATORS: [u8; 6] = *b"=!<>~^";

fn satisfies(call: &Call<'_>, version: &Version, constraint: &str) -> gotmpl::Result<bool> {
    let split = constraint.bytes().take_while(|byte| OPERATORS.contains(byte)).count();
    let (operator, text) = constraint.split_at(split);
    let limit = parse(call, text)?;
    // A prerelease is only meant where the constraint speaks of prereleases.
    if !version.pre.is_empty() && limit.version.pre.is_empty() {
        return Ok(false);
    }
    let above = beyond(&limit.version, limit.given);
    let within = if limit.given == 3 {
        version.cmp_precedence(&limit.version).is_eq()
    } else {
        version >= &limit.version && below(version, above)
    };
    Ok(match operator {
        "" | "=" | "==" => within,
        "!=" => !within,
        ">" => version > &limit.version && !(limit.given < 3 && within),
        ">=" | "=>" => version >= &limit.version,
        "<" => version < &limit.version,
        "<=" | "=<" => version <= &limit.version || within,
        "~" | "~>" => version >= &limit.version && below(version, beyond(&limit.version, limit.given.min(2))),
        "^" => version >= &limit.version && below(version, beyond(&limit.version, caret(&limit))),
        _ => return Err(call.error(format!("`{operator}` is not an operator"))),
    })
}

fn below(version: &Version, limit: Option<Version>) -> bool {
    limit.is_none_or(|limit| version < &limit)
}

/// The leftmost number that is not 0 may not change.
fn caret(limit: &Partial) -> usize {
    match limit.version {
        Version { major: 0, minor: 0, .. } => limit.given.min(3),
        Version { major: 0, .. } => limit.given.min(2),
        _ => limit.given.min(1),
    }
}

/// The first version past all that agree with `version` in its first `given` numbers; None past the last.
fn beyond(version: &Version, given: usize) -> Option<Version> {
    let Version { major, minor, patch, .. } = *version;
    let next = match given {
        0 => return None,
        1 => Version::new(major + 1, 0, 0),
        2 => Version::new(major, minor + 1, 0),
        _ => Version::new(major, minor, patch + 1),
    };
    Some(next)
}
