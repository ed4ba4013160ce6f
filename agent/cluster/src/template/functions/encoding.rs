//! Encodings and digests of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotmpl::Value;
use sha2::{Digest as _, Sha256, Sha512};

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::string;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("b64enc", 1, |call| Ok(string(STANDARD.encode(call.str(0)?)))),
    exactly("b64dec", 1, b64dec),
    exactly("sha256sum", 1, |call| Ok(hex(&Sha256::digest(call.str(0)?)))),
    exactly("sha512sum", 1, |call| Ok(hex(&Sha512::digest(call.str(0)?)))),
];

fn hex(digest: &[u8]) -> Value {
    string(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Where Sprig would hand on the text of the error as if it were the decoded text, this fails. As in Go, line breaks
/// do not count.
fn b64dec(call: &Call<'_>) -> Outcome {
    let encoded = call.str(0)?.replace(['\n', '\r'], "");
    let bytes = STANDARD.decode(encoded).map_err(|error| call.error(error))?;
    String::from_utf8(bytes).map(string).map_err(|_| call.error("the decoded bytes are not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_base64() {
        let error = b64dec(&Call { name: "b64dec", args: &[string("%%%")] }).unwrap_err();
        assert!(error.to_string().contains("b64dec: Invalid"), "{error}");
    }
}
