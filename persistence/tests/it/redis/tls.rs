//! TLS on the way to Redis.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use smartcart_engine::journal::Journal as _;
use smartcart_persistence::{
    error::RedisError,
    redis::{RedisJournal, Server, Settings},
};
use tempfile::TempDir;

use super::server::RedisServer;
use smartcart_testkit::conformance::samples::entry;

/// An authority, and a server's certificate that it has signed.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
        for (name, pem) in [
            ("ca.pem", authority_certificate.pem()),
            ("server.pem", server.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            fs::write(folder.path().join(name), pem).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server that takes TLS beside plain connections, and its address by TLS.
    async fn server(&self) -> (RedisServer, String) {
        let mut address = String::new();
        let server = RedisServer::with_more(|_, tls| {
            address = format!("rediss://localhost:{tls}");
            let path = |name| self.path(name).display().to_string();
            let settings = ["--tls-port", &tls.to_string(), "--tls-auth-clients", "no"].map(str::to_owned);
            let files = [
                "--tls-ca-cert-file".to_owned(),
                path("ca.pem"),
                "--tls-cert-file".to_owned(),
                path("server.pem"),
                "--tls-key-file".to_owned(),
                path("key.pem"),
            ];
            settings.into_iter().chain(files).collect()
        })
        .await;
        (server, address)
    }
}

#[tokio::test]
async fn a_journal_is_kept_over_tls() {
    let certificates = Certificates::new();
    let (_server, url) = certificates.server().await;
    let settings = Settings { ca: Some(certificates.path("ca.pem")), ..Settings::at(url) };
    let journal = RedisJournal::new(Server::new(&settings).unwrap());
    for sequence in 1..=3 {
        journal.append(&entry(1, 0, sequence)).await.unwrap();
    }
    let entry = entry(1, 0, 1);
    assert_eq!(journal.read(entry.incarnation, entry.lane, 0, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn who_is_signed_by_nobody_known_is_not_spoken_to() {
    let certificates = Certificates::new();
    let (_server, url) = certificates.server().await;
    let others = Certificates::new();
    for ca in [None, Some(others.path("ca.pem"))] {
        let settings = Settings { ca, ..Settings::at(url.clone()) };
        let refused = Server::new(&settings).unwrap().durability().await.unwrap_err();
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused() {
    let certificates = Certificates::new();
    for (url, file) in [("rediss://localhost", "none.pem"), ("redis://localhost", "ca.pem")] {
        let settings = Settings { ca: Some(certificates.path(file)), ..Settings::at(url) };
        let refused = Server::new(&settings).unwrap_err();
        assert!(matches!(refused, RedisError::Certificate(_)) && !refused.may_pass(), "{refused}");
    }
}
