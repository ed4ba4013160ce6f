//! Writes tar archives (POSIX ustar) of which every byte follows from the arguments: owner 0, one time stamp, no names
//! of users. Only what an image needs: folders and regular files with paths of at most 100 bytes. Reads nothing.

const BLOCK: usize = 512;
/// Bytes of the header's name field.
const NAME_MAX: usize = 100;
/// The size field holds 11 octal digits: files end below 8 GiB.
const SIZE_MAX: usize = 1 << 33;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("path `{0}` is longer than 100 bytes")]
    PathTooLong(String),
    #[error("file `{0}` has 8 GiB or more")]
    FileTooLarge(String),
}

/// An archive under construction.
pub(crate) struct Archive {
    bytes: Vec<u8>,
    /// Seconds since 1970, of every entry.
    modified: u64,
}

impl Archive {
    pub(crate) fn new(modified: u64) -> Self {
        Self { bytes: Vec::new(), modified }
    }

    /// Adds a folder; `path` is relative, without a slash at the end.
    pub(crate) fn folder(&mut self, path: &str, mode: u32) -> Result<(), Error> {
        self.header(&format!("{path}/"), mode, 0, b'5')
    }

    /// Adds a regular file; `path` is relative.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<(), Error> {
        if content.len() >= SIZE_MAX {
            return Err(Error::FileTooLarge(path.to_owned()));
        }
        self.header(path, mode, content.len(), b'0')?;
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }

    /// Ends the archive with its two empty blocks.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    /// Offsets and widths: POSIX.1-2017, pax, "ustar Interchange Format".
    fn header(&mut self, path: &str, mode: u32, size: usize, kind: u8) -> Result<(), Error> {
        if path.len() > NAME_MAX {
            return Err(Error::PathTooLong(path.to_owned()));
        }
        let mut header = [0_u8; BLOCK];
        let mut put = |offset: usize, text: &str| header[offset..offset + text.len()].copy_from_slice(text.as_bytes());
        put(0, path);
        put(100, &format!("{mode:07o}"));
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{size:011o}"));
        put(136, &format!("{:011o}", self.modified));
        // The checksum counts its own field as spaces.
        put(148, "        ");
        put(257, "ustar\x0000");
        header[156] = kind;
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_path_that_the_header_cannot_hold() {
        let mut archive = Archive::new(0);
        let error = archive.file(&"a".repeat(101), 0o644, b"").unwrap_err();
        assert!(matches!(error, Error::PathTooLong(_)));
    }

    #[test]
    fn pads_content_to_whole_blocks_and_ends_with_two_empty_ones() {
        let mut archive = Archive::new(0);
        archive.file("a", 0o644, &[1; 513]).unwrap();
        let bytes = archive.finish();
        assert_eq!(bytes.len(), 5 * 512);
        assert!(bytes[512 + 513..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn sums_the_header_with_its_checksum_as_spaces() {
        let mut archive = Archive::new(1);
        archive.folder("tmp", 0o1777).unwrap();
        let mut header = archive.finish()[..512].to_vec();
        let written = u32::from_str_radix(std::str::from_utf8(&header[148..154]).unwrap(), 8).unwrap();
        header[148..156].fill(b' ');
        assert_eq!(written, header.iter().map(|&byte| u32::from(byte)).sum::<u32>());
        assert_eq!(&header[..5], b"tmp/\0");
        assert_eq!(&header[100..107], b"0001777");
        assert_eq!(header[156], b'5');
    }
}
