//! The way to other pods.

use async_trait::async_trait;
use smartcart_domain::{
    failure::Failure,
    id::IncarnationId,
    peer::{PeerReply, PeerRequest},
};
use tokio::time::Instant;

use crate::registry::{Epoch, Member};

/// A request on its way.
#[derive(Debug)]
pub struct Envelope<'a> {
    pub request: &'a PeerRequest,
    /// The epoch at which the sender believes the receiver owns the shard.
    pub epoch: Epoch,
    /// Pods passed so far, the receiver included.
    pub hops: u8,
    pub deadline: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The receiver does not own the shard; it knows of this epoch. Nothing was done, but for a checkout that it may have
    /// begun before the shard moved.
    #[error("it owns the shard no more: the shard is at epoch {}", epoch.0)]
    NotOwner { epoch: Epoch },
    /// `NotApplied`: the request did not leave, or was refused unread.
    #[error("the pod failed to answer: {0}")]
    Failed(#[from] Failure),
}

/// What a peer says of itself and of the one who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResponse {
    pub incarnation: IncarnationId,
    /// Whether it can reach the registry now.
    pub sees_registry: bool,
    /// Whether, as far as it knows, the asker is alive.
    pub knows_asker: bool,
}

/// The way to other pods.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    async fn ask(&self, to: &Member, envelope: Envelope<'_>) -> Result<PeerReply, PeerError>;

    /// Asks a pod about itself; short patience.
    async fn probe(&self, to: &Member, asker: IncarnationId) -> Result<ProbeResponse, PeerError>;
}
