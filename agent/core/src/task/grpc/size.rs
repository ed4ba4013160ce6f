//! Sizes as people write them: `4MB`, `16 MiB`, `1000`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::scalar::Text;

/// A number of bytes: `1000`, `4MB` (4,000,000), `4MiB` (4,194,304). Read when it is needed, so that its problem has a
/// place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub Text);

const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("ki", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

impl Size {
    /// The number of bytes.
    ///
    /// # Errors
    /// What it should be, in words.
    pub fn bytes(&self) -> Result<u64, String> {
        let text = self.0.0.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_lowercase();
        let scale = UNITS.iter().find(|(known, _)| *known == unit).map(|(_, scale)| *scale);
        let bytes = number.parse::<f64>().ok().zip(scale).map(|(number, scale)| number * scale as f64);
        match bytes {
            // The length of a message travels in 32 bits.
            Some(bytes) if (1.0..=f64::from(u32::MAX)).contains(&bytes) => Ok(bytes as u64),
            _ => Err(format!("must be a size from 1 byte to 4 GiB such as 4MB or 16MiB, got `{text}`")),
        }
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_decimal_or_binary() {
        for (text, bytes) in [
            ("1000", 1000),
            ("4MB", 4_000_000),
            ("4 MiB", 4_194_304),
            ("1.5kb", 1500),
            ("64KiB", 65536),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(Size(Text(text.into())).bytes(), Ok(bytes), "{text}");
        }
        for text in ["", "0", "-1", "4 XB", "MB", "5GiB", "1e3"] {
            assert!(Size(Text(text.into())).bytes().is_err(), "{text}");
        }
    }
}
