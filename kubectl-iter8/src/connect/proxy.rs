//! Which proxy a server is reached through, by the rules of Go's `httpproxy`, which kubectl follows: the kubeconfig's
//! `proxy-url` always counts; else the variable of the server's scheme, unless `NO_PROXY` names the server or the server
//! is this machine.

use std::net::IpAddr;

use super::env::ConnectEnv;

/// The proxy for `server`, if any.
pub(super) fn proxy_for(server: &http::Uri, configured: Option<&str>, env: &ConnectEnv) -> Option<String> {
    if let Some(configured) = configured.filter(|url| !url.is_empty()) {
        return Some(configured.to_owned());
    }
    let proxy = match server.scheme_str() {
        Some("https") => env.https_proxy.as_ref(),
        _ => env.http_proxy.as_ref(),
    };
    let host = server.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("https") { 443 } else { 80 });
    if is_this_machine(&host) || env.no_proxy.as_ref().is_some_and(|list| is_exempt(&host, port, list)) {
        return None;
    }
    let proxy = proxy?.trim();
    // A proxy without a scheme is reached by HTTP.
    Some(if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") })
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_exempt(host: &str, port: u16, list: &str) -> bool {
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        let address = host.parse::<IpAddr>().ok();
        if let Some((network, bits)) = entry.split_once('/') {
            return address.is_some_and(|address| contains(network, bits, address));
        }
        let (name, wanted) = match entry.rsplit_once(':') {
            Some((name, digits)) if !name.contains(':') && digits.parse::<u16>().is_ok() => (name, digits.parse().ok()),
            _ => (entry.trim_matches(['[', ']']), None),
        };
        if wanted.is_some_and(|wanted: u16| wanted != port) {
            return false;
        }
        match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            // `.x` means what lies below x, `x` also x itself.
            Some(suffix) => host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')),
            None => {
                host == name || (address.is_none() && host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
            }
        }
    })
}

/// Whether `address` lies in the network of that many leading bits.
fn contains(network: &str, bits: &str, address: IpAddr) -> bool {
    let Ok(bits) = bits.parse::<u32>() else { return false };
    match (network.parse::<IpAddr>(), address) {
        (Ok(IpAddr::V4(network)), IpAddr::V4(address)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (Ok(IpAddr::V6(network)), IpAddr::V6(address)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(server: &str, no_proxy: &str) -> bool {
        let env = ConnectEnv {
            https_proxy: Some("proxy.example:3128".into()),
            http_proxy: Some("http://plain.example".into()),
            no_proxy: Some(no_proxy.into()),
            ..ConnectEnv::default()
        };
        proxy_for(&server.parse().unwrap(), None, &env).is_some()
    }

    #[test]
    fn the_exceptions_are_matched_against_the_server() {
        for (server, list, expected) in [
            ("https://10.0.0.1:6443", "", true),
            ("https://10.0.0.1:6443", "10.0.0.1", false),
            ("https://10.0.0.1:6443", "10.0.0.1:443", true),
            ("https://10.0.0.1:6443", "10.0.0.1:6443", false),
            ("https://10.0.0.1", "10.0.0.0/8", false),
            ("https://10.0.0.1", "192.168.0.0/16,", true),
            ("https://api.example.com", "example.com", false),
            ("https://example.com", ".example.com", true),
            ("https://api.example.com", ".example.com", false),
            ("https://api.example.com", "ample.com", true),
            ("https://api.example.com", "a, *", false),
            ("https://localhost:6443", "", false),
            ("https://127.0.0.1:6443", "", false),
            ("https://[::1]:6443", "", false),
            ("https://[fd00::1]:6443", "fd00::/8", false),
            ("https://10.0.0.1", "proxy.example", true),
        ] {
            assert_eq!(proxied(server, list), expected, "{server} with NO_PROXY={list}");
        }
    }

    #[test]
    fn the_kubeconfigs_proxy_always_counts_and_the_scheme_chooses_the_variable() {
        let env = ConnectEnv { https_proxy: Some("p:1".into()), no_proxy: Some("*".into()), ..ConnectEnv::default() };
        let server: http::Uri = "https://a".parse().unwrap();
        assert_eq!(proxy_for(&server, Some("http://own:1"), &env).as_deref(), Some("http://own:1"));
        let env = ConnectEnv { no_proxy: None, ..env };
        assert_eq!(proxy_for(&server, None, &env).as_deref(), Some("http://p:1"));
        assert_eq!(proxy_for(&"http://a".parse().unwrap(), None, &env), None);
    }
}
