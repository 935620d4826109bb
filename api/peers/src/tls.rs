//! Connections between pods, in the clear or under mutual TLS. Certificates are read again when their files change.

use std::{
    fs, io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use futures_util::{Stream, stream};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};
use tonic::transport::{Channel, Endpoint, server::Connected};

use super::{CONNECT_PATIENCE, KEEP_ALIVE, KEEP_ALIVE_PATIENCE, Trust};

/// How often the certificates' files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A TLS handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// Connections that have been accepted and not yet served.
const ACCEPTED: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whoever it has signed is a peer.
    pub authority: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path} cannot be read: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("{path} is not what it should be: {reason}")]
    Invalid { path: PathBuf, reason: String },
    #[error("the peers' certificates do not fit together: {0}")]
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

    fn look(&self) {
        if self.files.written() == self.current.load().written {
            return;
        }
        match self.files.read() {
            Ok(identity) => {
                tracing::info!("the peers' certificates were read again");
                self.current.store(Arc::new(identity));
            }
            Err(error) => tracing::error!(%error, "the new certificates cannot be used; the old ones stay"),
        }
    }
}

async fn follow(tls: std::sync::Weak<PeerTls>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(tls) = tls.upgrade() else { return };
        tls.look();
    }
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection with a peer.
pub(super) struct PeerIo(Box<dyn Wire>);

impl Connected for PeerIo {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for PeerIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for PeerIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// What peers open. A handshake that fails or takes long is one connection less, and keeps nobody waiting.
pub(super) fn incoming(listener: TcpListener, trust: Trust) -> impl Stream<Item = io::Result<PeerIo>> {
    let (accepted, connections) = mpsc::channel(ACCEPTED);
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                stream = listener.accept() => stream,
                () = accepted.closed() => return,
            };
            match stream {
                Ok((stream, _)) => {
                    tokio::spawn(greet(stream, trust.clone(), accepted.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a peer's connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
    stream::unfold(connections, async |mut connections| {
        connections.recv().await.map(|connection| (Ok(connection), connections))
    })
}

async fn greet(stream: TcpStream, trust: Trust, accepted: mpsc::Sender<PeerIo>) {
    let greeted = async {
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(match trust {
            Trust::Secret(_) => PeerIo(Box::new(stream)),
            Trust::Tls(tls) => {
                let acceptor = TlsAcceptor::from(tls.current.load().server.clone());
                PeerIo(Box::new(acceptor.accept(stream).await?))
            }
        })
    };
    match tokio::time::timeout(HANDSHAKE, greeted).await {
        Ok(Ok(connection)) => {
            // Nobody listens any more: the server ends.
            let _ended = accepted.send(connection).await;
        }
        Ok(Err(error)) => tracing::warn!(%error, "a peer's connection was refused"),
        Err(_) => tracing::warn!("a peer's handshake took too long"),
    }
}

/// A connection to a peer, open when this returns.
pub(super) async fn connect(address: &str, trust: &Trust) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(CONNECT_PATIENCE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_PATIENCE)
        .keep_alive_while_idle(true);
    let trust = trust.clone();
    endpoint
        .connect_with_connector(tower::service_fn(move |to: axum::http::Uri| {
            let trust = trust.clone();
            async move { reach(&to, trust).await.map(TokioIo::new) }
        }))
        .await
}

async fn reach(to: &axum::http::Uri, trust: Trust) -> io::Result<PeerIo> {
    let (host, port) = (to.host().unwrap_or_default(), to.port_u16().unwrap_or_default());
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(match trust {
        Trust::Secret(_) => PeerIo(Box::new(stream)),
        Trust::Tls(tls) => {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            let connector = TlsConnector::from(tls.current.load().client.clone());
            PeerIo(Box::new(connector.connect(name, stream).await?))
        }
    })
}
