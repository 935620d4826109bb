//! Connections between pods, in the clear or under mutual TLS.

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
    limits::{CONNECT_PATIENCE, KEEP_ALIVE, KEEP_ALIVE_PATIENCE},
    trust::Trust,
};

/// A TLS handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// Connections that have been accepted and not yet served.
const ACCEPTED: usize = 64;

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

/// What peers open. A handshake that fails or takes long is one connection less, and keeps nobody waiting.
pub(crate) fn incoming(listener: TcpListener, trust: Trust) -> impl Stream<Item = io::Result<PeerIo>> {
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
                let acceptor = TlsAcceptor::from(tls.server());
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
pub(crate) async fn connect(address: &str, trust: &Trust) -> Result<Channel, tonic::transport::Error> {
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
            let connector = TlsConnector::from(tls.client());
            PeerIo(Box::new(connector.connect(name, stream).await?))
        }
    })
}
