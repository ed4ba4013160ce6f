//! Times in an HdrHistogram: microseconds, three significant digits, one microsecond to one hour. The only file that
//! knows the histogram's library.

use std::fmt;
use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

/// A histogram of times. Recording never fails: what lies outside the range counts at its end.
#[derive(Clone, PartialEq)]
pub struct Histogram {
    inner: hdrhistogram::Histogram<u64>,
}

/// A text is no histogram.
#[derive(Debug, thiserror::Error)]
#[error("not a histogram: {0}")]
pub struct HistogramError(String);

const SHORTEST_MICROS: u64 = 1;
const LONGEST_MICROS: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// The most bytes of a histogram that is not deflated: a header, and for each of 23,552 counts at most nine bytes.
const BYTES_MAX: u64 = 256 * 1024;
/// The most times of a histogram that is read, so that the counts of many can be added. Nobody counts so many.
const COUNT_MAX: u64 = 1 << 53;

impl Default for Histogram {
    fn default() -> Self {
        let inner = hdrhistogram::Histogram::new_with_bounds(SHORTEST_MICROS, LONGEST_MICROS, DIGITS)
            .expect("the bounds are valid");
        Self { inner }
    }
}

impl Histogram {
    /// Counts a time.
    #[inline]
    pub fn record(&mut self, time: Duration) {
        self.record_many(time, 1);
    }

    /// Counts a time as often as `count` says.
    #[inline]
    pub fn record_many(&mut self, time: Duration, count: u64) {
        // In 64 bits, because this is done several times for each request.
        let micros =
            time.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(time.subsec_nanos().div_ceil(1_000)));
        self.inner.saturating_record_n(micros.max(1), count);
    }

    /// Adds what another histogram counted, exactly.
    pub fn merge(&mut self, other: &Self) {
        self.inner.add(&other.inner).expect("both have the same bounds");
    }

    /// How many times were counted.
    pub fn len(&self) -> u64 {
        self.inner.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The smallest time for which at least the share `q` (0 to 1) of all times is not longer; None when empty.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        (!self.is_empty()).then(|| self.micros(self.inner.value_at_quantile(q)))
    }

    /// The time at `rank` (from 1) of all times in ascending order.
    pub fn at_rank(&self, rank: u64) -> Option<Duration> {
        let mut seen = 0;
        for step in self.inner.iter_recorded() {
            seen += step.count_since_last_iteration();
            if seen >= rank {
                return Some(self.micros(step.value_iterated_to()));
            }
        }
        None
    }

    fn micros(&self, value: u64) -> Duration {
        Duration::from_micros(value.min(self.inner.max()))
    }

    /// HdrHistogram's V2 format, deflated, in base64: other HdrHistogram tools read it.
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.inner, &mut bytes).expect("writing into memory does not fail");
        STANDARD.encode(bytes)
    }

    /// Reads what [`Self::to_base64`] wrote. Whatever the text, it takes no more memory than a histogram.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn from_base64(text: &str) -> Result<Self, HistogramError> {
        let bytes = STANDARD.decode(text).map_err(|error| HistogramError(error.to_string()))?;
        let bytes = inflated(&bytes).ok_or_else(|| HistogramError("the text is damaged".to_owned()))?;
        let read = Deserializer::new().deserialize(&mut bytes.as_slice());
        let inner: hdrhistogram::Histogram<u64> = read.map_err(|error| HistogramError(error.to_string()))?;
        if inner.len() > COUNT_MAX {
            return Err(HistogramError(format!("it counts {} times", inner.len())));
        }
        Ok(Self { inner })
    }
}

/// A histogram with the bounds of ours in the V2 format. The library that reads it would believe its header and take
/// memory for any bounds and any length.
fn inflated(deflated: &[u8]) -> Option<Vec<u8>> {
    /// First in deflated and in plain bytes; the numbers 1 and 3 of the format stand in them.
    const DEFLATED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
    const PLAIN: [u8; 4] = 0x1c84_9313_u32.to_be_bytes();
    let rest = deflated.strip_prefix(&DEFLATED)?;
    let mut bytes = Vec::new();
    ZlibDecoder::new(rest.get(4..)?).take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let (header, counts) = bytes.split_at_checked(40)?;
    let length = u32::try_from(counts.len()).ok()?;
    let expected = [
        &PLAIN[..],
        &length.to_be_bytes(),
        // What is added to all indexes.
        &0u32.to_be_bytes(),
        &u32::from(DIGITS).to_be_bytes(),
        &SHORTEST_MICROS.to_be_bytes(),
        &LONGEST_MICROS.to_be_bytes(),
        // What all values are multiplied by.
        &1.0f64.to_be_bytes(),
    ];
    // A run of zeros as long as this cannot be written and makes the library panic.
    let is_endless = counts.windows(9).any(|bytes| bytes == [0xff; 9]);
    (header == expected.concat() && !is_endless).then_some(bytes)
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({} times, p50 {:?}, max {:?})", self.len(), self.quantile(0.5), self.quantile(1.0))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn of(times: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        times.iter().for_each(|micros| histogram.record(Duration::from_micros(*micros)));
        histogram
    }

    #[test]
    fn quantiles_and_ranks_are_those_of_the_ordered_times() {
        let histogram = of(&(1..=1000).collect::<Vec<_>>());
        assert_eq!(histogram.quantile(0.99), Some(Duration::from_micros(990)));
        assert_eq!(histogram.at_rank(1), Some(Duration::from_micros(1)));
        assert_eq!(histogram.at_rank(1000), Some(Duration::from_micros(1000)));
        assert_eq!(histogram.at_rank(1001), None);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn times_out_of_range_count_at_its_ends() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::from_secs(100_000));
        assert_eq!(histogram.len(), 2);
        assert!(histogram.quantile(1.0) >= Some(Duration::from_secs(3_599)));
    }

    #[test]
    fn other_texts_are_refused() {
        assert!(Histogram::from_base64("!").is_err());
        assert!(Histogram::from_base64("AAAA").is_err());
    }

    /// The text of a histogram that says so much of itself: length, digits, longest time, and what counts it has.
    fn text(length: u32, digits: u32, longest: u64, counts: &[u8]) -> String {
        let header = [&0x1c84_9313_u32.to_be_bytes()[..], &length.to_be_bytes(), &[0; 4], &digits.to_be_bytes()];
        let bounds = [&1u64.to_be_bytes()[..], &longest.to_be_bytes(), &1.0f64.to_be_bytes()];
        deflated(&[header.concat(), bounds.concat(), counts.to_vec()].concat())
    }

    #[test]
    fn a_text_is_not_believed_how_much_memory_it_needs() {
        let read =
            |length, digits, longest, counts: &[u8]| Histogram::from_base64(&text(length, digits, longest, counts));
        assert_eq!(read(2, 3, LONGEST_MICROS, &[4, 2]).unwrap().len(), 3);
        for (length, digits, longest) in [(u32::MAX, 3, LONGEST_MICROS), (2, 5, LONGEST_MICROS), (2, 3, u64::MAX)] {
            assert!(read(length, digits, longest, &[4, 2]).is_err());
        }
        // Zeros deflate to a thousandth.
        assert!(read(1 << 24, 3, LONGEST_MICROS, &vec![0; 1 << 24]).is_err());
        assert!(read(9, 3, LONGEST_MICROS, &[0xff; 9]).is_err());
        let more_than_can_be = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(read(9, 3, LONGEST_MICROS, &more_than_can_be).is_err());
    }

    fn deflated(plain: &[u8]) -> String {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        let deflated = encoder.finish().unwrap();
        let length = u32::try_from(deflated.len()).unwrap().to_be_bytes();
        STANDARD.encode([&0x1c84_9314_u32.to_be_bytes()[..], &length, &deflated].concat())
    }

    mod fuzz {
        use super::*;
        use crate::fuzz::fuzz;

        #[test]
        fn what_is_read_of_damaged_bytes_can_be_worked_with() {
            let words: [&[u8]; 5] =
                [&[0xff; 9], &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0], &[0xff; 4], &[0x80]];
            fuzz("histogram", &words, |plain| {
                // Its header says how long it is; few changes leave that right.
                let mut fitting = plain.to_vec();
                if let Some(counts) = plain.len().checked_sub(40) {
                    fitting[4..8].copy_from_slice(&u32::try_from(counts).unwrap().to_be_bytes());
                }
                for plain in [plain, &fitting] {
                    let Ok(mut histogram) = Histogram::from_base64(&deflated(plain)) else { continue };
                    assert_eq!(Histogram::from_base64(&histogram.to_base64()).unwrap(), histogram);
                    assert!(histogram.quantile(0.0) <= histogram.quantile(1.0));
                    assert_eq!(histogram.at_rank(1).is_some(), !histogram.is_empty());
                    let before = histogram.len();
                    histogram.merge(&histogram.clone());
                    histogram.record(Duration::from_millis(1));
                    assert_eq!(histogram.len(), 2 * before + 1);
                }
            });
        }
    }

    proptest! {
        #[test]
        fn merging_loses_nothing(a in prop::collection::vec(1u64..10_000_000, 0..100), b in prop::collection::vec(1u64..10_000_000, 0..100)) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }

        #[test]
        fn what_is_written_is_read_back(times in prop::collection::vec(1u64..3_000_000_000, 0..100)) {
            let histogram = of(&times);
            prop_assert_eq!(Histogram::from_base64(&histogram.to_base64()).unwrap(), histogram);
        }

        #[test]
        fn text_never_panics(text in ".*") {
            let _ = Histogram::from_base64(&text);
        }
    }
}
