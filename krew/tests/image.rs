//! Images as the command writes them: read back by their bytes, with a reader that shares no code with the writer.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their failure")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

struct Entry {
    mode: u32,
    modified: u64,
    bytes: Vec<u8>,
}

/// A folder with a program to pack.
struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("program"), static_program()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn dist(&self, args: &[&str], epoch: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iter8-dist"));
        command.current_dir(&self.folder).arg("image").args(args).env_remove("SOURCE_DATE_EPOCH");
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        command.output().unwrap()
    }

    /// Packs the program as another image and returns what was printed.
    fn pack(&self, output: &str, epoch: Option<&str>) -> Value {
        let args = ["--tag", "test/app:1", "--file", "/bin/app=program", "--entrypoint", "/bin/app"];
        let done = self.dist(&[&args[..], &["--entrypoint", "-v", "--output", output]].concat(), epoch);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }
}

/// The least that counts as a static x86_64 program: an ELF header without program headers.
fn static_program() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18] = 62;
    bytes
}

fn untar(bytes: &[u8]) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    let mut rest = bytes;
    while rest[0] != 0 {
        let text = |from: usize, to: usize| {
            let field = &rest[from..to];
            let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
            std::str::from_utf8(&field[..end]).unwrap().to_owned()
        };
        let octal = |from, to| u64::from_str_radix(&text(from, to), 8).unwrap();
        let size = usize::try_from(octal(124, 136)).unwrap();
        let entry = Entry {
            mode: u32::try_from(octal(100, 108)).unwrap(),
            modified: octal(136, 148),
            bytes: rest[512..512 + size].to_vec(),
        };
        entries.insert(text(0, 100), entry);
        rest = &rest[512 + size.next_multiple_of(512)..];
    }
    entries
}

/// The blob of a descriptor, after its digest and size have been checked.
fn blob<'a>(layout: &'a BTreeMap<String, Entry>, descriptor: &Value) -> &'a [u8] {
    let digest = descriptor["digest"].as_str().unwrap();
    let bytes = &layout[&format!("blobs/{}", digest.replace(':', "/"))].bytes;
    assert_eq!(sha256(bytes), digest);
    assert_eq!(json!(bytes.len()), descriptor["size"]);
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The image's configuration and the entries of its layer.
fn open(path: &Path) -> (Value, Value, BTreeMap<String, Entry>) {
    let layout = untar(&std::fs::read(path).unwrap());
    assert_eq!(layout["oci-layout"].bytes, br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: Value = serde_json::from_slice(&layout["index.json"].bytes).unwrap();
    let named = index["manifests"][0].clone();
    let manifest: Value = serde_json::from_slice(blob(&layout, &named)).unwrap();
    let config: Value = serde_json::from_slice(blob(&layout, &manifest["config"])).unwrap();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(blob(&layout, &manifest["layers"][0])).read_to_end(&mut tar).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], json!([sha256(&tar)]));
    (named, config, untar(&tar))
}

#[test]
fn writes_a_layout_whose_digests_and_sizes_hold() {
    let workshop = Workshop::new();
    let printed = workshop.pack("out/app.tar", None);
    let (named, config, layer) = open(&workshop.path("out/app.tar"));
    assert_eq!(printed["image"], "docker.io/test/app:1");
    assert_eq!(printed["digest"], named["digest"]);
    assert_eq!(printed["archiveBytes"], std::fs::metadata(workshop.path("out/app.tar")).unwrap().len());
    assert_eq!(named["annotations"]["io.containerd.image.name"], "docker.io/test/app:1");
    assert_eq!(named["platform"], json!({ "architecture": "amd64", "os": "linux" }));
    assert_eq!(config["config"]["Entrypoint"], json!(["/bin/app", "-v"]));
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(layer.keys().collect::<Vec<_>>(), ["bin/", "bin/app", "tmp/"]);
    assert_eq!((layer["bin/app"].mode, &layer["bin/app"].bytes), (0o755, &static_program()));
    assert_eq!(layer["tmp/"].mode, 0o1777);
}

#[test]
fn writes_the_same_bytes_twice() {
    let workshop = Workshop::new();
    workshop.pack("one.tar", None);
    workshop.pack("two.tar", None);
    assert_eq!(std::fs::read(workshop.path("one.tar")).unwrap(), std::fs::read(workshop.path("two.tar")).unwrap());
}

#[test]
fn dates_everything_by_source_date_epoch() {
    let workshop = Workshop::new();
    workshop.pack("app.tar", Some("1700000000"));
    let (_, config, layer) = open(&workshop.path("app.tar"));
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    assert!(layer.values().all(|entry| entry.modified == 1_700_000_000));
}

#[test]
fn runs_the_agent_as_an_unprivileged_user_with_certificates() {
    let workshop = Workshop::new();
    let done = workshop.dist(&["--binary", "program", "--output", "agent.tar"], None);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (named, config, layer) = open(&workshop.path("agent.tar"));
    let name = concat!("docker.io/iter8/iter8-agent:", env!("CARGO_PKG_VERSION"));
    assert_eq!(named["annotations"]["io.containerd.image.name"], name);
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"], json!(["/iter8-agent"]));
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(layer["iter8-agent"].mode, 0o755);
    assert!(layer["etc/ssl/certs/ca-certificates.crt"].bytes.starts_with(b"-----BEGIN CERTIFICATE-----"));
}

#[test]
fn refuses_a_program_that_scratch_cannot_run() {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("script"), "#!/bin/sh\n").unwrap();
    let done = workshop.dist(&["--binary", "script", "--output", "agent.tar"], None);
    assert!(!done.status.success());
    let message = String::from_utf8(done.stderr).unwrap();
    assert!(message.contains("`/iter8-agent` cannot be the program of an image from scratch"), "{message}");
    assert!(!workshop.path("agent.tar").exists());
}

#[test]
fn refuses_an_entrypoint_that_is_not_in_the_image() {
    let workshop = Workshop::new();
    let args = ["--tag", "test/app:1", "--file", "/app=program", "--entrypoint", "app", "--output", "app.tar"];
    let done = workshop.dist(&args, None);
    assert!(!done.status.success());
    assert!(String::from_utf8(done.stderr).unwrap().contains("entrypoint `app` is none of the image's files"));
}
