//! Paths with slashes as text: no file is looked at. Those of the machine that renders have slashes as well, wherever it is.

use gotmpl::Value;

use super::call::{Function, exactly};
use crate::template::value::string;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("base", 1, |call| Ok(string(base(call.str(0)?)))),
    exactly("dir", 1, |call| Ok(string(dir(call.str(0)?)))),
    exactly("clean", 1, |call| Ok(string(clean(call.str(0)?)))),
    exactly("ext", 1, |call| Ok(string(ext(call.str(0)?)))),
    exactly("isAbs", 1, |call| Ok(Value::Bool(call.str(0)?.starts_with('/')))),
    exactly("osBase", 1, |call| Ok(string(base(call.str(0)?)))),
    exactly("osDir", 1, |call| Ok(string(dir(call.str(0)?)))),
    exactly("osClean", 1, |call| Ok(string(clean(call.str(0)?)))),
    exactly("osExt", 1, |call| Ok(string(ext(call.str(0)?)))),
    exactly("osIsAbs", 1, |call| Ok(Value::Bool(call.str(0)?.starts_with('/')))),
];

fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        trimmed => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |dot| &name[dot..])
}

/// The shortest path that means the same, as Go's `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}
