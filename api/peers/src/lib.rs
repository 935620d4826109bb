//! Pods among themselves: gRPC on a listener of its own. Requests to the same pod that come within a moment share a
//! message; answers come back as they are ready.
//!
//! Who may ask is shown by mutual TLS, or, without TLS, by a signature of every message with a shared secret. The
//! signature keeps strangers out; it hides nothing from who can read the wire.

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
