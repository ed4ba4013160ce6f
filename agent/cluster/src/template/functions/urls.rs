//! URLs as dicts of their parts: taking apart and putting together, by the rules of Go's package `net/url`. No address is
//! looked up.

use std::net::Ipv6Addr;

use gotmpl::Value;

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::{Dict, IntoValue as _, kind, string};

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("urlParse", 1, |call| {
        let text = call.str(0)?;
        let url = parse(text).map_err(|wrong| call.error(format!("`{text}` is not a URL: {wrong}")))?;
        Ok(url.into_dict())
    }),
    exactly("urlJoin", 1, join),
];

/// The parts of a URL. User, host, path and fragment are without escapes, the query is as it was written.
#[derive(Debug, Default)]
struct Parts {
    scheme: String,
    /// What follows the scheme when it does not begin with a slash, as in `mailto:a@b`.
    opaque: String,
    /// Name, and perhaps a password.
    user: Option<(String, Option<String>)>,
    host: String,
    path: String,
    query: String,
    fragment: String,
}

/// A place in a URL. What need not be escaped differs between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    User,
    Host,
    Path,
    Fragment,
}

impl Place {
    fn takes(self, byte: u8) -> bool {
        let signs: &[u8] = match self {
            Self::User => b"$&+,;=",
            Self::Host => b"!$&'()*+,;=:[]<>\"",
            Self::Path => b"$&+,/:;=@",
            Self::Fragment => b"!$&()*+,/:;=?@",
        };
        byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || signs.contains(&byte)
    }

    fn escape(self, text: &str) -> String {
        let escaped = text.bytes().map(|byte| match byte {
            _ if self.takes(byte) => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        escaped.collect()
    }

    /// In a host only bytes beyond ASCII may be escaped, and the percent sign before the zone of an address.
    fn unescape(self, text: &str) -> Result<String, String> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if first != b'%' {
                if self == Self::Host && first.is_ascii() && !self.takes(first) {
                    return Err(format!("a host has no `{}`", char::from(first)));
                }
                bytes.push(first);
                rest = after;
                continue;
            }
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            let byte = byte.ok_or("a `%` stands before two hexadecimal digits")?;
            if self == Self::Host && byte.is_ascii() && byte != b'%' {
                return Err(format!("a host has no `%{byte:02X}`"));
            }
            bytes.push(byte);
            rest = &after[2..];
        }
        String::from_utf8(bytes).map_err(|_| format!("`{text}` stands for bytes that are not UTF-8 text"))
    }
}

fn parse(text: &str) -> Result<Parts, String> {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("it has a control character".to_owned());
    }
    let mut parts = Parts { fragment: Place::Fragment.unescape(fragment)?, ..Parts::default() };
    if text == "*" {
        text.clone_into(&mut parts.path);
        return Ok(parts);
    }
    let (scheme, rest) = scheme(text)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    parts.scheme = scheme.to_ascii_lowercase();
    query.clone_into(&mut parts.query);
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            rest.clone_into(&mut parts.opaque);
            return Ok(parts);
        }
        if rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err("the first part of a path has no colon".to_owned());
        }
    }
    let absolute = !scheme.is_empty() || !rest.starts_with("///");
    let path = match rest.strip_prefix("//").filter(|_| absolute) {
        Some(after) => {
            let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
            let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
            parts.host = parse_host(&parts.scheme, host)?;
            parts.user = user.map(parse_user).transpose()?;
            path
        }
        None => rest,
    };
    parts.path = Place::Path.unescape(path)?;
    Ok(parts)
}

/// The scheme, or nothing, and what follows its colon.
fn scheme(text: &str) -> Result<(&str, &str), String> {
    let of_scheme = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
    let end = text.find(|letter| !of_scheme(letter)).unwrap_or(text.len());
    match text[end..].strip_prefix(':') {
        Some(_) if end == 0 => Err("there is no scheme before the colon".to_owned()),
        Some(after) if text.starts_with(|letter: char| letter.is_ascii_alphabetic()) => Ok((&text[..end], after)),
        Some(_) | None => Ok(("", text)),
    }
}

fn parse_user(text: &str) -> Result<(String, Option<String>), String> {
    let of_user = |letter: char| letter.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(letter);
    if let Some(letter) = text.chars().find(|letter| !of_user(*letter)) {
        return Err(format!("a user has no `{letter}`"));
    }
    let (name, password) = text.split_once(':').map_or((text, None), |(name, password)| (name, Some(password)));
    Ok((Place::User.unescape(name)?, password.map(|password| Place::User.unescape(password)).transpose()?))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()))
}

fn parse_host(scheme: &str, text: &str) -> Result<String, String> {
    let address = match text.rfind('[') {
        Some(0) => text.rfind(']').ok_or("the `]` after the address is missing")?,
        Some(_) => return Err("a `[` stands only at the beginning of a host".to_owned()),
        None => 0,
    };
    let after = &text[address..];
    let port = match after.find(':') {
        _ if address > 0 => &text[address + 1..],
        // Some databases list hosts in one, each with its port.
        Some(_) if !["http", "https"].contains(&scheme) => &after[after.rfind(':').unwrap_or(0)..],
        Some(colon) => &after[colon..],
        None => "",
    };
    if !is_port(port) {
        return Err(format!("`{port}` is no port"));
    }
    let host = Place::Host.unescape(text)?;
    if address > 0 {
        let inside = host[1..].split(']').next().unwrap_or_default();
        let (address, zone) = inside.split_once('%').unwrap_or((inside, "zone"));
        if zone.is_empty() || address.parse::<Ipv6Addr>().is_err() {
            return Err(format!("`{inside}` is no address of IPv6"));
        }
    }
    Ok(host)
}

impl Parts {
    fn into_dict(self) -> Value {
        let hostname = match self.host.rfind(':') {
            Some(colon) if is_port(&self.host[colon..]) => &self.host[..colon],
            Some(_) | None => self.host.as_str(),
        };
        let bare = hostname.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(hostname);
        let dict = [
            ("hostname", string(bare)),
            ("userinfo", string(self.user_info())),
            ("scheme", string(self.scheme)),
            ("host", string(self.host.as_str())),
            ("path", string(self.path)),
            ("query", string(self.query)),
            ("opaque", string(self.opaque)),
            ("fragment", string(self.fragment)),
        ];
        dict.into_iter().map(|(name, value)| (name.into(), value)).collect::<Dict>().into_value()
    }

    fn user_info(&self) -> String {
        let Some((name, password)) = &self.user else { return String::new() };
        let password = password.as_ref().map(|password| format!(":{}", Place::User.escape(password)));
        Place::User.escape(name) + &password.unwrap_or_default()
    }
}

fn join(call: &Call<'_>) -> Outcome {
    let dict = call.dict(0)?;
    let part = |name: &str| match dict.get(name) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.to_string()),
        Some(other) => Err(call.error(format!("`{name}` must be a string, not {}", kind(other)))),
    };
    let user = Some(part("userinfo")?).filter(|user| !user.is_empty());
    let user = user.map(|user| parse(&format!("any://{user}@host")).map(|url| url.user));
    let user = user.transpose().map_err(|wrong| call.error(format!("`userinfo`: {wrong}")))?;
    let parts = Parts {
        scheme: part("scheme")?,
        opaque: part("opaque")?,
        user: user.flatten(),
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        fragment: part("fragment")?,
    };
    Ok(string(parts.join()))
}

impl Parts {
    fn join(&self) -> String {
        let mut url = String::new();
        if !self.scheme.is_empty() {
            url.push_str(&self.scheme);
            url.push(':');
        }
        if self.opaque.is_empty() {
            self.join_path(&mut url);
        } else {
            url.push_str(&self.opaque);
        }
        for (sign, part) in [('?', self.query.clone()), ('#', Place::Fragment.escape(&self.fragment))] {
            if !part.is_empty() {
                url.push(sign);
                url.push_str(&part);
            }
        }
        url
    }

    fn join_path(&self, url: &mut String) {
        let path = if self.path == "*" { self.path.clone() } else { Place::Path.escape(&self.path) };
        let authority = !self.host.is_empty() || self.user.is_some();
        if authority || !(self.scheme.is_empty() || path.is_empty()) {
            url.push_str("//");
        }
        if self.user.is_some() {
            url.push_str(&self.user_info());
            url.push('@');
        }
        url.push_str(&Place::Host.escape(&self.host));
        if !(path.is_empty() || path.starts_with('/') || self.host.is_empty()) {
            url.push('/');
        }
        // What stands before a colon would be taken for a scheme.
        if url.is_empty() && path.split('/').next().is_some_and(|first| first.contains(':')) {
            url.push_str("./");
        }
        url.push_str(&path);
    }
}
