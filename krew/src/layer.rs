//! The one layer of an image: which files it holds, with the folders above them and a /tmp that everyone may write to.
//! The image's metadata is oci.rs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use flate2::{Compression, GzBuilder};

use crate::digest::Digest;
use crate::tar;

/// A file of the image and where its content comes from; written `/path-in-image=local-file`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FileSource {
    /// Absolute path in the image.
    pub(crate) path: String,
    pub(crate) local: PathBuf,
}

/// The content of the image: absolute path to mode and bytes.
#[derive(Default)]
pub(crate) struct Content {
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

/// A compressed layer.
pub(crate) struct Layer {
    pub(crate) gzip: Vec<u8>,
    /// Digest of the tar inside, which a container runtime checks after unpacking.
    pub(crate) diff_id: Digest,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` must be /path-in-image=local-file, the path absolute and without `.` and `..`")]
pub(crate) struct FileSourceError(String);

impl FromStr for FileSource {
    type Err = FileSourceError;

    fn from_str(text: &str) -> Result<Self, FileSourceError> {
        let invalid = || FileSourceError(text.to_owned());
        let (path, local) = text.split_once('=').ok_or_else(invalid)?;
        let names = path.strip_prefix('/').ok_or_else(invalid)?;
        if local.is_empty() || names.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(invalid());
        }
        Ok(Self { path: path.to_owned(), local: local.into() })
    }
}

impl Content {
    /// Adds a file, or replaces the one of that path.
    pub(crate) fn insert(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.files.insert(path.to_owned(), (mode, bytes));
    }

    pub(crate) fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|(_, bytes)| bytes.as_slice())
    }

    /// Writes the layer: folders first, each kind in the order of its paths.
    ///
    /// # Errors
    /// A path is too long or a file too large for tar.
    pub(crate) fn layer(&self, modified: u64) -> Result<Layer, tar::Error> {
        let mut archive = tar::Archive::new(modified);
        let mut folders = BTreeSet::from(["tmp"]);
        for path in self.files.keys() {
            let relative = &path[1..];
            folders.extend(relative.match_indices('/').map(|(end, _)| &relative[..end]));
        }
        for folder in folders {
            archive.folder(folder, if folder == "tmp" { 0o1777 } else { 0o755 })?;
        }
        for (path, (mode, bytes)) in &self.files {
            archive.file(&path[1..], *mode, bytes)?;
        }
        let tar = archive.finish();
        Ok(Layer { gzip: compress(&tar), diff_id: Digest::of(&tar) })
    }
}

/// The header says neither when nor on which system it was written.
fn compress(bytes: &[u8]) -> Vec<u8> {
    const UNKNOWN_SYSTEM: u8 = 255;
    let mut encoder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a Vec takes every write");
    encoder.finish().expect("a Vec takes every write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_file_source() {
        let source: FileSource = "/etc/app.conf=conf/a=b".parse().unwrap();
        assert_eq!(source, FileSource { path: "/etc/app.conf".into(), local: "conf/a=b".into() });
    }

    #[test]
    fn refuses_file_sources_outside_the_image() {
        for text in ["app", "app=app", "/=app", "/a/=app", "/../a=app", "/a=", "//a=app"] {
            let error = text.parse::<FileSource>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn does_not_depend_on_the_order_of_insertion() {
        let mut forth = Content::default();
        forth.insert("/b/x", 0o644, vec![1]);
        forth.insert("/a", 0o755, vec![2]);
        let mut back = Content::default();
        back.insert("/a", 0o755, vec![2]);
        back.insert("/b/x", 0o644, vec![1]);
        assert_eq!(forth.layer(0).unwrap().gzip, back.layer(0).unwrap().gzip);
    }
}
