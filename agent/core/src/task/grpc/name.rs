//! Names of a host and of a method as gRPC understands them. What is called is the business of the inputs.

use super::DEFAULT_PORT;

/// Host and port, with the port that gRPC takes when there is none. `dns:///` before it is understood.
pub(super) fn authority(host: &str) -> Result<String, String> {
    let trimmed = host.trim();
    let bare = trimmed.strip_prefix("dns:///").or_else(|| trimmed.strip_prefix("dns:")).unwrap_or(trimmed);
    let form = || format!("must be host:port, as in shop.default:50051, got `{host}`");
    if bare.contains("://") {
        return Err(format!("{}, without a scheme: set tls to encrypt connections", form()));
    }
    if !is_authority(bare) {
        return Err(form());
    }
    let has_port = bare.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    Ok(if has_port { bare.to_owned() } else { format!("{bare}:{DEFAULT_PORT}") })
}

pub(super) fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let is_address =
                address.contains(':') && address.chars().all(|char| char.is_ascii_hexdigit() || ":.%".contains(char));
            return is_address && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_host = !host.is_empty() && host.chars().all(|char| char.is_alphanumeric() || "-_.".contains(char));
    is_host && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// The service and the method in a call: `package.Service/Method` or `package.Service.Method`.
///
/// # Errors
/// What it should be, in words.
pub fn split_call(call: &str) -> Result<(&str, &str), String> {
    let trimmed = call.trim().trim_start_matches(['/', '.']);
    let parts = trimmed.split_once('/').or_else(|| trimmed.rsplit_once('.'));
    let is_name = |name: &str| !name.is_empty() && name.split('.').all(is_identifier);
    match parts {
        Some((service, method)) if is_name(service) && is_identifier(method) => Ok((service, method)),
        _ => Err(format!("must be package.Service.Method or package.Service/Method, got `{call}`")),
    }
}

fn is_identifier(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_understood_as_grpc_understands_them() {
        for (host, expected) in [
            ("shop:50051", "shop:50051"),
            ("shop.default", "shop.default:443"),
            ("dns:///shop:1", "shop:1"),
            ("[::1]:5", "[::1]:5"),
            ("[::1]", "[::1]:443"),
            (" 10.0.0.1:80 ", "10.0.0.1:80"),
        ] {
            assert_eq!(authority(host).as_deref(), Ok(expected), "{host}");
        }
        for host in ["", ":5", "a:", "a:0", "a:70000", "a/b:1", "a b:1", "unix:/tmp/s", "[::1", "[x]:1"] {
            assert!(authority(host).is_err(), "{host}");
        }
    }
}
