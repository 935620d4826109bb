//! The protocol between pods: gRPC on a listener of its own. Requests to the same pod that arrive within a moment share a
//! message; answers are streamed back as they become ready.
//!
//! Pods authenticate each other by mutual TLS or, without TLS, by signing every message with a shared secret. The
//! signature keeps unknown peers out; it hides nothing from whoever can read the network.

mod client;
mod limits;
mod link;
mod message;
mod server;
mod signer;
mod tls;
mod transport;
mod trust;

pub use client::GrpcPeers;
pub use server::{PeerListenError, PeerServer};
pub use signer::{MessageSigner, SignerError};
pub use tls::{PeerTls, TlsError, TlsFiles};
pub use trust::Trust;
