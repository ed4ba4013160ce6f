//! Settings of TLS, from the words of an experiment to those of the load engine and of a client for single requests:
//! certificates and keys are read from where they are. No message holds any.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use iter8_core::task::credential::MOUNTS;
use iter8_core::task::load::{Pem, Tls};
use iter8_load::Identity;
use reqwest::{Certificate, ClientBuilder};

/// Why settings of TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file with certificates or a key cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A Secret is not where the pod mounts it, or holds nothing of use.
    #[error(
        "the Secret `{secret}` of tls.secret is not there, or has neither ca.crt nor tls.crt with tls.key, in {}; a local run has no Secrets: give ca, cert and key as files", folder.display()
    )]
    NoSecret {
        /// Its name.
        secret: String,
        /// Where it should be.
        folder: PathBuf,
    },
}

/// Reads what `tls` names.
///
/// # Errors
/// When a file cannot be read, or a Secret is not mounted.
pub(crate) async fn tls(tls: &Tls) -> Result<iter8_load::Tls, TlsError> {
    let mut read = iter8_load::Tls {
        insecure: tls.insecure.is_some_and(|insecure| insecure.0),
        server_name: tls.server_name.as_ref().map(|name| name.0.trim().to_owned()),
        ..iter8_load::Tls::default()
    };
    if let Some(secret) = &tls.secret {
        of_secret(&Path::new(MOUNTS).join(&secret.0), &secret.0, &mut read).await?;
    }
    if let Some(ca) = &tls.ca {
        read.ca_pem = Some(pem(&Pem::of(ca)).await?.into());
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        let (cert, key) = (pem(&Pem::of(cert)).await?, pem(&Pem::of(key)).await?);
        read.identity = Some(Identity { cert_pem: cert.into(), key_pem: key.into() });
    }
    Ok(read)
}

/// A client that speaks TLS in this way.
///
/// # Errors
/// The certificates cannot be used.
pub(crate) fn of_client(builder: ClientBuilder, tls: &iter8_load::Tls) -> Result<ClientBuilder, reqwest::Error> {
    let mut builder = builder.tls_danger_accept_invalid_certs(tls.insecure);
    if let Some(ca) = &tls.ca_pem {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(ca)?);
    }
    if let Some(identity) = &tls.identity {
        let pem = [&identity.cert_pem[..], b"\n", &identity.key_pem[..]].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&pem)?);
    }
    Ok(builder)
}

async fn pem(pem: &Pem) -> Result<Vec<u8>, TlsError> {
    match pem {
        Pem::Text(text) => Ok(text.clone().into_bytes()),
        Pem::Path(path) => {
            let path = PathBuf::from(path);
            tokio::fs::read(&path).await.map_err(|source| TlsError::File { path, source })
        }
    }
}

/// Takes what a mounted Secret holds, by the names that Kubernetes gives (kubernetes.io/tls, and cert-manager's `ca.crt`).
async fn of_secret(folder: &Path, secret: &str, read: &mut iter8_load::Tls) -> Result<(), TlsError> {
    let file = async |name: &str| {
        let path = folder.join(name);
        match tokio::fs::read(&path).await {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TlsError::File { path, source }),
        }
    };
    let (ca, cert, key) = (file("ca.crt").await?, file("tls.crt").await?, file("tls.key").await?);
    if ca.is_none() && (cert.is_none() || key.is_none()) {
        return Err(TlsError::NoSecret { secret: secret.to_owned(), folder: folder.to_owned() });
    }
    read.ca_pem = ca.map(Into::into);
    read.identity = cert.zip(key).map(|(cert, key)| Identity { cert_pem: cert.into(), key_pem: key.into() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_gives_what_it_holds_and_must_hold_something() {
        let folder = tempfile::tempdir().unwrap();
        let mut read = iter8_load::Tls::default();
        let error = of_secret(folder.path(), "shop", &mut read).await.unwrap_err();
        assert!(error.to_string().contains("`shop`"), "{error}");
        std::fs::write(folder.path().join("tls.crt"), "cert").unwrap();
        std::fs::write(folder.path().join("tls.key"), "key").unwrap();
        of_secret(folder.path(), "shop", &mut read).await.unwrap();
        assert_eq!(read.identity.as_ref().map(|identity| &identity.key_pem[..]), Some(&b"key"[..]));
        assert!(read.ca_pem.is_none());
        std::fs::write(folder.path().join("ca.crt"), "ca").unwrap();
        of_secret(folder.path(), "shop", &mut read).await.unwrap();
        assert_eq!(read.ca_pem.as_deref(), Some(&b"ca"[..]));
    }
}
