//! Connections between pods: plain TCP or mutual TLS.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, stream};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::pki_types::ServerName};
use tonic::transport::{Channel, Endpoint, server::Connected};

use crate::{
    limits::{CONNECT_TIMEOUT, KEEP_ALIVE, KEEP_ALIVE_TIMEOUT},
    trust::Trust,
};

/// A TLS handshake that takes longer is abandoned.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that may be accepted before they are served.
const ACCEPT_QUEUE: usize = 64;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection with a peer.
pub(crate) struct PeerIo(Box<dyn Wire>);

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

/// Connections that peers open. A handshake that fails or takes long drops its own connection and delays no other.
pub(crate) fn incoming(listener: TcpListener, trust: Trust) -> impl Stream<Item = io::Result<PeerIo>> {
    let (accepted, connections) = mpsc::channel(ACCEPT_QUEUE);
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                stream = listener.accept() => stream,
                () = accepted.closed() => return,
            };
            match stream {
                Ok((stream, _)) => {
                    tokio::spawn(handshake(stream, trust.clone(), accepted.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a peer's connection failed; retrying in 50 ms");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
    stream::unfold(connections, async |mut connections| {
        connections.recv().await.map(|connection| (Ok(connection), connections))
    })
}

async fn handshake(stream: TcpStream, trust: Trust, accepted: mpsc::Sender<PeerIo>) {
    let connected = async {
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(match trust {
            Trust::Secret(_) => PeerIo(Box::new(stream)),
            Trust::Tls(tls) => {
                let acceptor = TlsAcceptor::from(tls.server());
                PeerIo(Box::new(acceptor.accept(stream).await?))
            }
        })
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, connected).await {
        Ok(Ok(connection)) => {
            // The receiver is gone: the server is stopping.
            let _ended = accepted.send(connection).await;
        }
        Ok(Err(error)) => tracing::warn!(%error, "a peer's handshake failed; connection dropped"),
        Err(_) => tracing::warn!("a peer's handshake took too long; connection dropped"),
    }
}

/// A connection to a peer, open when this returns.
pub(crate) async fn connect(address: &str, trust: &Trust) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
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
            let connector = TlsConnector::from(tls.client());
            PeerIo(Box::new(connector.connect(name, stream).await?))
        }
    })
}
