//! Encodings and digests of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotmpl::Value;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::string;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("b64enc", 1, |call| Ok(string(STANDARD.encode(call.str(0)?)))),
    exactly("b64dec", 1, b64dec),
    exactly("b32enc", 1, |call| Ok(string(base32(call.str(0)?.as_bytes())))),
    exactly("b32dec", 1, b32dec),
    exactly("adler32sum", 1, |call| Ok(string(adler32(call.str(0)?.as_bytes()).to_string()))),
    exactly("sha1sum", 1, |call| Ok(hex(&Sha1::digest(call.str(0)?)))),
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

/// The alphabet of base32 in RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Eight letters for each five bytes, filled up with `=`.
fn base32(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut five = [0; 8];
        five[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(five);
        let letters = (group.len() * 8).div_ceil(5);
        encoded.extend((0..letters).map(|index| char::from(BASE32[(bits >> (35 - 5 * index)) as usize % 32])));
        encoded.extend(std::iter::repeat_n('=', 8 - letters));
    }
    encoded
}

fn b32dec(call: &Call<'_>) -> Outcome {
    let encoded = call.str(0)?.replace(['\n', '\r'], "");
    let bytes = base32_bytes(&encoded).ok_or_else(|| call.error(format!("`{encoded}` is not base32")))?;
    String::from_utf8(bytes).map(string).map_err(|_| call.error("the decoded bytes are not UTF-8 text"))
}

fn base32_bytes(encoded: &str) -> Option<Vec<u8>> {
    let letters = encoded.trim_end_matches('=');
    let missing = encoded.len() - letters.len();
    if !encoded.len().is_multiple_of(8) || !matches!(missing, 0 | 1 | 3 | 4 | 6) {
        return None;
    }
    let mut bytes = Vec::with_capacity(letters.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in letters.bytes() {
        let value = BASE32.iter().position(|known| *known == letter)?;
        bits = (bits << 5 | u32::try_from(value).ok()?) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// RFC 1950, section 9.
fn adler32(bytes: &[u8]) -> u32 {
    const BASE: u32 = 65_521;
    let sums = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % BASE;
        (a, (b + a) % BASE)
    });
    sums.1 << 16 | sums.0
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
