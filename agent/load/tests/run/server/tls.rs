//! An authority that a test trusts, and who it vouches for.

use std::sync::Arc;

use bytes::Bytes;
use iter8_load::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Of whom a server wants a certificate.
#[derive(Clone, Copy)]
pub(crate) enum Clients<'a> {
    Anybody,
    /// Those that this authority vouches for.
    Of(&'a Authority),
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> Bytes {
        self.0.pem().into()
    }

    fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new(names).unwrap());
        change(&mut params);
        let cert = params.signed_by(&key, &self.0).unwrap();
        Identity { cert_pem: cert.pem().into(), key_pem: key.serialize_pem().into() }
    }

    /// Somebody who may be a client.
    pub(crate) fn client(&self) -> Identity {
        self.issue(&[], |params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth))
    }

    /// A server with these names.
    pub(crate) fn server(&self, names: &[&str], clients: Clients<'_>) -> ServerConfig {
        server(&self.issue(names, |_| ()), clients)
    }

    /// A server whose certificate was good until the end of 2020.
    pub(crate) fn expired_server(&self, names: &[&str]) -> ServerConfig {
        let identity = self.issue(names, |params| {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 12, 31));
        });
        server(&identity, Clients::Anybody)
    }
}

fn server(identity: &Identity, clients: Clients<'_>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Clients::Anybody => builder.with_no_client_auth(),
        Clients::Of(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = CertificateDer::pem_slice_iter(&identity.cert_pem).map(Result::unwrap).collect();
    builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(&identity.key_pem).unwrap()).unwrap()
}
