//! Image archives: an OCI image layout (image-spec 1.1) in a tar, with one manifest of one layer. The same bytes for the
//! same image; reads and writes no files.

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::elf::Architecture;
use crate::layer::Layer;
use crate::reference::Reference;
use crate::tar;

/// What a container needs to know of an image, beside its files.
pub(crate) struct Image {
    pub(crate) reference: Reference,
    pub(crate) architecture: Architecture,
    pub(crate) entrypoint: Vec<String>,
    /// `uid:gid`.
    pub(crate) user: String,
    pub(crate) labels: Vec<(&'static str, String)>,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// `created` as RFC 3339 writes it.
    pub(crate) created_text: String,
}

/// An archive and the digest by which a registry would know the image.
pub(crate) struct ImageArchive {
    pub(crate) tar: Vec<u8>,
    pub(crate) manifest: Digest,
}

impl Image {
    /// Writes the image layout.
    ///
    /// # Errors
    /// The layer is too large for tar.
    pub(crate) fn archive(&self, layer: &Layer) -> Result<ImageArchive, tar::Error> {
        let config = bytes(&self.config(layer));
        let manifest = bytes(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer.gzip)],
        }));
        let mut index_entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
        index_entry["platform"] = json!({ "architecture": self.architecture.name(), "os": "linux" });
        // containerd names the image by the first, tools of the OCI layout by the second.
        index_entry["annotations"] = json!({
            "io.containerd.image.name": self.reference.to_string(),
            "org.opencontainers.image.ref.name": self.reference.tag(),
        });
        let index = bytes(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [index_entry],
        }));

        let mut archive = tar::Archive::new(self.created);
        archive.file("oci-layout", 0o644, &bytes(&json!({ "imageLayoutVersion": "1.0.0" })))?;
        archive.file("index.json", 0o644, &index)?;
        archive.folder("blobs", 0o755)?;
        archive.folder("blobs/sha256", 0o755)?;
        for blob in [&manifest, &config, &layer.gzip] {
            archive.file(&Digest::of(blob).blob_path(), 0o644, blob)?;
        }
        Ok(ImageArchive { tar: archive.finish(), manifest: Digest::of(&manifest) })
    }

    fn config(&self, layer: &Layer) -> Value {
        let labels: serde_json::Map<_, _> =
            self.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        json!({
            "created": self.created_text,
            "architecture": self.architecture.name(),
            "os": "linux",
            "config": {
                "User": self.user,
                "Entrypoint": self.entrypoint,
                "WorkingDir": "/",
                "Labels": labels,
            },
            "rootfs": { "type": "layers", "diff_ids": [layer.diff_id.to_string()] },
            "history": [{ "created": self.created_text, "created_by": "iter8-dist image" }],
        })
    }
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(content).to_string(), "size": content.len() })
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("every key is a string")
}
