//! Functions of Sprig and Helm that are refused on purpose, and why.

/// Why a template may not call `name`; None when the name is not on the list.
pub(in crate::template) fn refusal(name: &str) -> Option<&'static str> {
    match name {
        "env" | "expandenv" => Some("a template may not read the environment"),
        "getHostByName" => Some("a template may not use the network"),
        "lookup" => Some("a template may not read the cluster"),
        "now" | "ago" => Some("the same values must always give the same text, and the clock does not stand still"),
        "shuffle" | "uuidv4" | "bcrypt" | "htpasswd" => Some(RANDOM),
        "derivePassword" | "encryptAES" | "decryptAES" | "buildCustomCert" => {
            Some("keys and passwords do not belong in a template")
        }
        "set" | "unset" => Some("dicts do not change: build a new one with dict, merge, pick or omit"),
        _ if name.starts_with("rand") => Some(RANDOM),
        _ if name.starts_with("gen") => Some("keys and passwords do not belong in a template"),
        _ => None,
    }
}

const RANDOM: &str = "the same values must always give the same text, and this one is random";
