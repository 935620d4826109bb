//! A TCP proxy whose network fails on demand, so that real processes meet the faults that real networks have.
//!
//! What can be done to it, and what that models:
//!
//! - [`Flow::Pass`]: a network in order.
//! - [`Flow::Hold`], a partition: what is sent waits, the closing of a connection too, and arrives when the network heals,
//!   however late, as TCP has it (it sends again until it is heard). A connection that is opened meanwhile is established
//!   when both ways are open again.
//! - [`Flow::Drop`], a firewall or a NAT that has forgotten its connections: what is sent goes nowhere, without a word. A
//!   connection that has lost something passes nothing any more, and is reset when the network heals.
//! - [`Network::CUT`], a host that is up with nobody listening: open connections are reset, and new ones at once.
//!
//! Each way has its own flow: with one of the two held or dropped, what goes one way arrives and the answers do not.
//! A proxy may also tell its clients apart by their processes, and give each a network of its own.
//! What a proxy cannot show: losses and delays of single packets, and TCP's own time-outs (keep-alive, user time-out),
//! because each end talks to the proxy's kernel, which always answers.

mod losses;
mod network;
mod pipe;
mod postgres;
mod redis;
mod source;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub use losses::Losses;
pub use network::{Counts, Flow, Network, Way};

use network::{Networks, View};
use pipe::{Inspect, Side, Unseen};

use crate::ports::listener;

/// What the connections of a proxy share.
#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    networks: watch::Receiver<Networks>,
    counts: Arc<Counts>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Plain,
    /// Clients are told apart by their processes.
    ByProcess,
    /// In front of a PostgreSQL: what becomes of its answers.
    Postgres(Arc<Losses>),
    /// The same, of a Redis.
    Redis(Arc<Losses>),
}

/// A running proxy; dropping it resets its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    networks: watch::Sender<Networks>,
    counts: Arc<Counts>,
    kind: Kind,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// In front of any server.
    pub async fn start(server: SocketAddr) -> anyhow::Result<Self> {
        Self::launch(server, Kind::Plain).await
    }

    /// In front of any server, with clients that are told apart by their processes.
    pub async fn by_process(server: SocketAddr) -> anyhow::Result<Self> {
        Self::launch(server, Kind::ByProcess).await
    }

    /// In front of a PostgreSQL, spoken to without TLS: it can also lose answers to commits. The seed decides which.
    pub async fn of_postgres(server: SocketAddr, seed: u64) -> anyhow::Result<Self> {
        Self::launch(server, Kind::Postgres(Arc::new(Losses::new(seed)))).await
    }

    /// In front of a Redis, spoken to without TLS: it can also lose answers to appends. The seed decides which.
    pub async fn of_redis(server: SocketAddr, seed: u64) -> anyhow::Result<Self> {
        Self::launch(server, Kind::Redis(Arc::new(Losses::new(seed)))).await
    }

    async fn launch(server: SocketAddr, kind: Kind) -> anyhow::Result<Self> {
        let listener = listener()?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let networks = Networks { server, everybody: Network::SOUND, own: HashMap::new() };
        let (networks, following) = watch::channel(networks);
        let counts = Arc::new(Counts::default());
        let shared = Shared { address, networks: following, counts: counts.clone(), kind: kind.clone() };
        let accepting = tokio::spawn(accept(listener, Arc::new(shared)));
        Ok(Self { address, networks, counts, kind, accepting })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, network: Network) {
        self.networks.send_modify(|networks| networks.everybody = network);
    }

    /// The network of one process's connections. The proxy must be one that tells them apart.
    pub fn set_for(&self, process: u32, network: Network) {
        self.networks.send_modify(|networks| {
            networks.own.insert(process, network);
        });
    }

    /// New connections go to another server from now on.
    pub fn point_at(&self, server: SocketAddr) {
        self.networks.send_modify(|networks| networks.server = server);
    }

    /// In order again, for everybody.
    pub fn heal(&self) {
        self.networks.send_modify(|networks| {
            networks.everybody = Network::SOUND;
            networks.own.clear();
        });
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What becomes of the answers of the PostgreSQL or Redis that this proxy is in front of.
    pub fn losses(&self) -> Option<&Losses> {
        match &self.kind {
            Kind::Postgres(losses) | Kind::Redis(losses) => Some(losses),
            Kind::Plain | Kind::ByProcess => None,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(serve(client, shared.clone()));
                }
                // Out of descriptors, or a client that has gone: the next one may fare better.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

/// One connection, from its opening to its end. How it ends, both of its ends see for themselves.
async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    shared.counts.connections.fetch_add(1, Ordering::Relaxed);
    if converse(&mut client, &shared).await.is_err() {
        reset(&client, &shared.counts);
    }
}

async fn converse(client: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let process = match shared.kind {
        Kind::ByProcess => source::process_of(client.peer_addr()?, shared.address)?,
        Kind::Plain | Kind::Postgres(_) | Kind::Redis(_) => None,
    };
    let mut network = View { networks: shared.networks.clone(), process };
    established(&mut network).await?;
    let server = network.networks.borrow().server;
    let mut server = TcpStream::connect(server).await?;
    let ended = relay(client, &mut server, shared, network).await;
    if ended.is_err() {
        reset(&server, &shared.counts);
    }
    ended
}

/// Waits until a new connection gets through; an error when it never will.
async fn established(network: &mut View) -> io::Result<()> {
    let now = network.until(|now| !now.connected || now.passes(Flow::Pass) || now.drops()).await?;
    if now.connected && now.drops() {
        // Forgotten, and told so when somebody listens again.
        network.until(|now| !now.drops()).await?;
    }
    if now.connected && !now.drops() { Ok(()) } else { Err(io::ErrorKind::ConnectionReset.into()) }
}

/// Both ways, until both have ended; an error when the connection is to be reset.
async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    shared: &Shared,
    mut network: View,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut asking, mut answering): (Box<dyn Inspect>, Box<dyn Inspect>) = match &shared.kind {
        Kind::Postgres(losses) => {
            let answers = postgres::Answers::new(losses.clone());
            (Box::new(answers.questions()), Box::new(answers))
        }
        Kind::Redis(losses) => {
            let answers = redis::Answers::new(losses.clone());
            (Box::new(answers.questions()), Box::new(answers))
        }
        Kind::Plain | Kind::ByProcess => (Box::new(Unseen), Box::new(Unseen)),
    };
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let counts = &*shared.counts;
    let there = pipe::run(from_client, to_server, Side::ToServer, network.clone(), counts, &mut *asking);
    let back = pipe::run(from_server, to_client, Side::ToClient, network.clone(), counts, &mut *answering);
    let cut = network.until(|network| !network.connected);
    tokio::select! {
        ended = async { tokio::try_join!(there, back) } => ended.map(|_| ()),
        _cut = cut => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// Closing it now sends a reset.
fn reset(stream: &TcpStream, counts: &Counts) {
    counts.resets.fetch_add(1, Ordering::Relaxed);
    // Fails for a stream that is gone already.
    let _gone = stream.set_zero_linger();
}
