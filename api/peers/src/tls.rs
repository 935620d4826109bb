//! A pod's certificates. They are read again when their files change.

use std::{
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

/// How often the certificates' files are checked for changes.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// A certificate that it has signed is a peer's.
    pub authority: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("{path} is invalid: {reason}")]
    Invalid { path: PathBuf, reason: String },
    #[error("the peers' certificates do not match each other: {0}")]
    Config(String),
}

/// This pod's identity, and whom it trusts.
#[derive(Debug)]
pub struct PeerTls {
    files: TlsFiles,
    current: ArcSwap<Identity>,
}

#[derive(Debug)]
struct Identity {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    written: Option<SystemTime>,
}

impl TlsFiles {
    fn read(&self) -> Result<Identity, TlsError> {
        let written = self.written();
        let invalid = |path: &PathBuf, reason: &dyn ToString| TlsError::Invalid {
            path: path.clone(),
            reason: reason.to_string(),
        };
        let certificates = |path: &PathBuf| {
            let pem = fs::read(path).map_err(|error| TlsError::Read { path: path.clone(), error })?;
            let all: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
                .collect::<Result<_, _>>()
                .map_err(|error| invalid(path, &error))?;
            if all.is_empty() {
                return Err(invalid(path, &"it has no certificate"));
            }
            Ok(all)
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            roots.add(certificate).map_err(|error| invalid(&self.authority, &error))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&self.certificate)?;
        let key = fs::read(&self.key).map_err(|error| TlsError::Read { path: self.key.clone(), error })?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| invalid(&self.key, &error))?;
        let config = |error: &dyn ToString| TlsError::Config(error.to_string());
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| config(&error))?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| config(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| config(&error))?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| config(&error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| config(&error))?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Identity { server: Arc::new(server), client: Arc::new(client), written })
    }

    /// When the newest of the files was written.
    fn written(&self) -> Option<SystemTime> {
        [&self.certificate, &self.key, &self.authority]
            .into_iter()
            .filter_map(|path| fs::metadata(path).and_then(|about| about.modified()).ok())
            .max()
    }
}

impl PeerTls {
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(files.read()?);
        let tls = Arc::new(Self { files, current });
        tokio::spawn(follow(Arc::downgrade(&tls)));
        Ok(tls)
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.current.load().server.clone()
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.current.load().client.clone()
    }

    fn reload_if_changed(&self) {
        if self.files.written() == self.current.load().written {
            return;
        }
        match self.files.read() {
            Ok(identity) => {
                tracing::info!("reloaded the peers' certificates");
                self.current.store(Arc::new(identity));
            }
            Err(error) => {
                tracing::error!(%error, "reloading the peers' certificates failed; the old ones stay in use");
            }
        }
    }
}

async fn follow(tls: std::sync::Weak<PeerTls>) {
    loop {
        tokio::time::sleep(RELOAD_INTERVAL).await;
        let Some(tls) = tls.upgrade() else { return };
        tls.reload_if_changed();
    }
}
