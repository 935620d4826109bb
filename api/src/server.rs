//! The listener: HTTP/1.1, with a bound on everything that a client can make us wait for or hold.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::{rt, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use smartcart_engine::deadline::{Alarm, punctual};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use crate::front::Front;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Open at the same time; further ones wait in the kernel's queue.
    pub connections: usize,
    /// For a request's whole head, from the moment we wait for it. It also ends idle connections.
    pub header_time: Duration,
    /// Maximum bytes of a request's head.
    pub header_bytes: usize,
    /// How long requests in flight may take to finish when the server stops.
    pub grace: Duration,
}

/// A server that runs until `stop`.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {error}; choose another address, or stop the process that uses it")]
pub struct ListenError {
    listen: SocketAddr,
    error: std::io::Error,
}

impl Server {
    pub async fn start(config: ServerConfig, front: Front) -> Result<Self, ListenError> {
        let failed = |error| ListenError { listen: config.listen, error };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, config, front, stopped));
        Ok(Self { address, stop, task })
    }

    /// Accepts no more connections, finishes the requests in flight, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the listener failed while stopping");
        }
    }
}

async fn accept(
    listener: TcpListener,
    config: ServerConfig,
    front: Front,
    mut stopped: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(config.connections));
    let (ending, _) = watch::channel(());
    let http = protocol(&config);
    loop {
        let next = async {
            let permit = connections.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = stopped.changed() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        // A small answer must not wait for the client's acknowledgement of the last one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a new connection broke before its first request");
            continue;
        }
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(front.clone()));
        let connection = punctual(until_ending(connection, ending.subscribe()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection failed");
            }
            drop(permit);
        });
    }
    drop(listener);
    ending.send_replace(());
    // Each connection holds a receiver.
    if tokio::time::timeout(config.grace, ending.closed()).await.is_err() {
        tracing::warn!("some connections did not finish in time; closing them");
    }
}

fn protocol(config: &ServerConfig) -> http1::Builder {
    let mut http = http1::Builder::new();
    // A request has at most 100 header fields: hyper's own bound, which costs nothing; any other is paid for at each request.
    http.timer(Alarms)
        .header_read_timeout(config.header_time)
        .max_header_size(config.header_bytes)
        .half_close(false);
    http
}

/// hyper's deadlines, on the connection's one timer.
#[derive(Debug, Clone, Copy)]
struct Alarms;

struct Rings(Alarm);

impl rt::Sleep for Rings {}

impl Future for Rings {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl rt::Timer for Alarms {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Rings(Alarm::at(deadline.into())))
    }
}

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Front>>;

/// Serves a connection until its client goes, or, once the server stops, until the request in flight is answered.
async fn until_ending(connection: Connection, mut ending: watch::Receiver<()>) -> hyper::Result<()> {
    // A connection is polled several times for each request. The first poll asks to be woken at the end, which takes a lock
    // that connections share; the others only look.
    let look = ending.clone();
    let (mut connection, mut ended) = (pin!(connection), pin!(ending.changed()));
    let (mut asked, mut told) = (false, false);
    poll_fn(|context| {
        let worth_asking = !asked || look.has_changed().unwrap_or(true);
        asked = true;
        if !told && worth_asking && ended.as_mut().poll(context).is_ready() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    })
    .await
}

/// Usually the process is out of file descriptors: other connections must finish first.
async fn pause_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "accepting a connection failed; retrying in 100 ms");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
