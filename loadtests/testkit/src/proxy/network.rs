//! The state of a network: what happens to what goes each way, for everybody or for one process.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::sync::watch;

/// What happens to what goes one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Pass,
    Hold,
    Drop,
}

/// One way of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub flow: Flow,
    /// How much later everything arrives.
    pub delay: Duration,
}

impl Way {
    const fn of(flow: Flow) -> Self {
        Self { flow, delay: Duration::ZERO }
    }
}

/// The network between the clients of a proxy and its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub connected: bool,
    pub to_server: Way,
    pub to_client: Way,
}

impl Default for Network {
    fn default() -> Self {
        Self::SOUND
    }
}

impl Network {
    pub const SOUND: Self = Self::flows(Flow::Pass, Flow::Pass);
    pub const CUT: Self = Self { connected: false, ..Self::SOUND };

    pub const fn flows(to_server: Flow, to_client: Flow) -> Self {
        Self { connected: true, to_server: Way::of(to_server), to_client: Way::of(to_client) }
    }

    /// Every round trip takes this much longer, half of it each way.
    pub fn slower_by(round_trip: Duration) -> Self {
        let way = Way { flow: Flow::Pass, delay: round_trip / 2 };
        Self { connected: true, to_server: way, to_client: way }
    }

    pub(super) fn passes(&self, flow: Flow) -> bool {
        self.to_server.flow == flow && self.to_client.flow == flow
    }

    pub(super) fn drops(&self) -> bool {
        self.to_server.flow == Flow::Drop || self.to_client.flow == Flow::Drop
    }
}

/// What has gone through a proxy, or has not.
#[derive(Debug, Default)]
pub struct Counts {
    pub connections: AtomicU64,
    pub bytes: AtomicU64,
    /// Bytes that went nowhere.
    pub dropped: AtomicU64,
    /// Bytes that arrived after they had been held.
    pub held: AtomicU64,
    /// Connections that were reset by the proxy.
    pub resets: AtomicU64,
}

impl Counts {
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

pub(super) fn add(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// The networks between a proxy's clients and its server.
#[derive(Debug)]
pub(super) struct Networks {
    /// Where new connections go to.
    pub(super) server: SocketAddr,
    pub(super) everybody: Network,
    /// In place of it, by process.
    pub(super) own: HashMap<u32, Network>,
}

/// The network of one connection, as it changes.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) networks: watch::Receiver<Networks>,
    pub(super) process: Option<u32>,
}

impl View {
    pub(super) fn now(&self) -> Network {
        let networks = self.networks.borrow();
        let own = self.process.and_then(|process| networks.own.get(&process));
        own.copied().unwrap_or(networks.everybody)
    }

    /// Waits for such a network; an error when the proxy ends.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Network) -> bool) -> io::Result<Network> {
        loop {
            let now = self.now();
            if wanted(&now) {
                return Ok(now);
            }
            self.networks.changed().await.map_err(|_| io::ErrorKind::ConnectionReset)?;
        }
    }
}
