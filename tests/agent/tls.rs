//! Targets that speak TLS: whom the agent trusts, who it is, and that nobody sees its key.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use iter8_core::Verdict;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment, http, text_in};

/// An authority, with a server that asks its clients for a certificate of it.
pub(crate) struct Shop {
    pub(crate) authority: CertifiedIssuer<'static, KeyPair>,
    pub(crate) address: SocketAddr,
    /// What its certificate is for.
    name: &'static str,
    answered: Arc<AtomicU64>,
}

impl Shop {
    /// Its certificate is for `name`. The server ends with the test's process.
    pub(crate) fn open(name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has one");
        let shop = Self { authority, address, name, answered: Arc::default() };
        let (config, answered) = (Arc::new(shop.config()), shop.answered.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let mut socket = socket;
                let mut connection = ServerConnection::new(config.clone()).expect("the settings are good");
                let mut stream = Stream::new(&mut connection, &mut socket);
                // A client that is refused is no concern of the server.
                if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                    answered.fetch_add(1, Ordering::SeqCst);
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"value\":5}");
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        shop
    }

    fn config(&self) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let (cert, key) = self.issue(self.name, ExtendedKeyUsagePurpose::ServerAuth);
        let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).expect("PEM")];
        builder
            .expect("versions")
            .with_client_cert_verifier(clients.build().expect("an authority"))
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"))
            .expect("a certificate with its key")
    }

    /// A certificate and its key, in PEM.
    pub(crate) fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.authority).expect("a certificate").pem(), key.serialize_pem())
    }

    fn load(&self, tls: &Value) -> Value {
        http(&format!("https://{}/", self.address), &json!({ "numRequests": 5, "tls": tls }))
    }
}

#[test]
fn a_target_is_trusted_by_its_authority_and_gets_to_see_who_the_load_is() {
    let shop = Shop::open("shop.test");
    let (cert, key) = shop.issue("load", ExtendedKeyUsagePurpose::ClientAuth);
    let stage = Stage::new();
    // As PEM, and as files.
    let authority = shop.authority.pem();
    let files = ["ca.pem", "cert.pem", "key.pem"]
        .into_iter()
        .zip([&authority, &cert, &key])
        .map(|(name, pem)| stage.env.file(name, pem).display().to_string());
    let [ca_file, cert_file, key_file] = files.collect::<Vec<_>>().try_into().expect("three files");
    for tls in [
        json!({ "ca": shop.authority.pem(), "cert": cert, "key": key, "serverName": "shop.test" }),
        json!({ "ca": ca_file, "cert": cert_file, "key": key_file, "serverName": "shop.test" }),
        json!({ "insecure": true, "cert": cert, "key": key }),
    ] {
        let steps = [shop.load(&tls), assess(&json!({ "http/error-rate": 0 }))];
        let before = shop.answered.load(Ordering::SeqCst);
        let output = stage.agent(&experiment(steps)).args(["--log-level", "trace"]).run().code(code::SUCCEEDED);
        assert_eq!(stage.result().verdict, Some(Verdict::Pass), "{:?}", stage.result().load["http"].errors);
        assert_eq!(shop.answered.load(Ordering::SeqCst) - before, 5);
        let stored = stage.server.get("secrets", "shop", "iter8-web-1-result").expect("it is there");
        let written = text_in(&stored).expect("a result") + &output.stdout + &output.stderr;
        let line = key.lines().nth(1).expect("a line of the key");
        assert!(!written.contains(line), "{written}");
    }
}

#[test]
fn a_name_or_an_authority_that_is_not_right_is_an_error_that_says_so() {
    let shop = Shop::open("shop.test");
    let (cert, key) = shop.issue("load", ExtendedKeyUsagePurpose::ClientAuth);
    for (tls, said) in [
        (json!({ "ca": shop.authority.pem(), "cert": cert, "key": key }), "not valid for name"),
        (json!({ "cert": cert, "key": key, "serverName": "shop.test" }), "UnknownIssuer"),
    ] {
        let stage = Stage::new();
        stage.run(&experiment([shop.load(&tls)])).code(code::SUCCEEDED);
        let error = &stage.result().load["http"].errors[0];
        assert_eq!((error.kind.as_str(), error.count), ("TLS failed", 5));
        assert!(error.first[0].contains(said), "{:?}", error.first);
    }
    assert_eq!(shop.answered.load(Ordering::SeqCst), 0);
}

#[test]
fn a_certificate_that_cannot_be_read_ends_the_task_before_its_load() {
    let shop = Shop::open("shop.test");
    let gone = "/nowhere/ca.pem";
    for (tls, said) in [
        (json!({ "ca": gone }), format!("cannot read {gone}: ")),
        (
            json!({ "secret": "shop-tls" }),
            "the Secret `shop-tls` of tls.secret is not there, or has neither ca.crt".to_owned(),
        ),
    ] {
        let stage = Stage::new();
        stage.run(&experiment([shop.load(&tls)])).code(code::TASK_FAILED);
        let message = stage.result().steps[0].message.clone();
        assert!(message.starts_with(&said), "{message}");
    }
}
