//! Pods among themselves: gRPC on a listener of its own. Questions to the same pod that come within a moment share a
//! message; answers come back as they are ready.
//!
//! Who may ask is shown by mutual TLS, or, without TLS, by a signature of every message with a shared secret. The
//! signature keeps strangers out; it hides nothing from who can read the wire.

mod client;
mod link;
mod seal;
mod server;
mod tls;
mod wire;

use std::net::SocketAddr;

pub use client::GrpcPeers;
pub use seal::{Seal, SealError};
pub use server::PeerServer;
pub use tls::{PeerTls, TlsError, TlsFiles};

use std::{sync::Arc, time::Duration};

/// A connection on which nothing comes back for this long is asked whether it lives.
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// How long it has to say so.
const KEEP_ALIVE_PATIENCE: Duration = Duration::from_millis(500);
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);
/// A probe is answered within this, or it is not.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// Questions in one message.
const BATCH: usize = 256;
/// Bytes of one message.
const MESSAGE_BYTES: usize = 4 << 20;

/// How pods trust each other.
#[derive(Debug, Clone)]
pub enum Trust {
    Secret(Arc<Seal>),
    Tls(Arc<PeerTls>),
}

#[derive(Debug, thiserror::Error)]
pub enum PeerListenError {
    #[error("cannot listen for peers on {listen}: {error}; set SMARTCART_PEER_LISTEN")]
    Bind { listen: SocketAddr, error: std::io::Error },
}
