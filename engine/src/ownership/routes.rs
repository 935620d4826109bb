//! From a request to whoever owns its shard: here, or another pod.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use metrics::counter;

use crate::ownership::shard_map::{Owner, ShardMap};
use crate::registry::Epoch;
use crate::{
    limits::{MAX_HOPS, READS_WITHOUT_CONFIRMATION},
    peers::{Envelope, PeerError, Peers},
};
use smartcart_domain::{
    failure::{Effect, Failure},
    peer::{PeerReply, PeerRequest},
    request::RequestError,
};

/// How long a refusal by an old owner waits for a newer map before it asks again.
const NEWER_MAP: Duration = Duration::from_millis(250);

/// The shard map, and the way to the other pods.
#[derive(Clone)]
pub(crate) struct Routes {
    pub(crate) shards: Arc<ShardMap>,
    /// Nothing: alone.
    pub(crate) peers: Option<Arc<dyn Peers>>,
}

/// How a request came to this pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RouteContext {
    /// The epoch that its sender believed in.
    pub(crate) epoch: Epoch,
    /// Pods passed so far, this one included.
    pub(crate) hops: u8,
    pub(crate) deadline: Instant,
}

impl RouteContext {
    /// From a client, or from the engine itself.
    pub(crate) const fn first(deadline: Instant) -> Self {
        Self { epoch: Epoch(0), hops: 0, deadline }
    }
}

/// Why there is no answer from another pod.
pub(crate) enum ForwardError {
    /// The map was old: look again.
    Moved(Epoch),
    Failed(Failure),
}

impl<R> From<ForwardError> for RequestError<R> {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::Moved(_) => Self::NotOwner,
            ForwardError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl Routes {
    /// Whether the registry, and with it the fleet's database, has not answered for a while.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.peers.is_some() && self.shards.confirmation.age() > READS_WITHOUT_CONFIRMATION
    }

    /// Asks the shard's owner. After `Moved` the map may be newer.
    pub(crate) async fn forward(
        &self,
        to: &Owner,
        request: &PeerRequest,
        context: &RouteContext,
    ) -> Result<PeerReply, ForwardError> {
        if context.hops >= MAX_HOPS {
            return Err(ForwardError::Moved(to.epoch));
        }
        let peers = self
            .peers
            .as_ref()
            .ok_or_else(|| ForwardError::Failed(Failure::not_applied("this shop has one pod")))?;
        counter!("smartcart_forwarded_total").increment(1);
        let envelope =
            Envelope { request, epoch: to.epoch, hops: context.hops + 1, deadline: context.deadline };
        match peers.ask(&to.member, envelope).await {
            Ok(reply) => Ok(reply),
            Err(PeerError::NotOwner { epoch }) => {
                self.shards.newer_map(NEWER_MAP).await;
                Err(ForwardError::Moved(epoch))
            }
            Err(PeerError::Failed(failure)) if failure.effect == Effect::NotApplied => {
                self.shards.newer_map(NEWER_MAP).await;
                let moved = self.shards.epoch(request.shard()) > to.epoch;
                Err(if moved { ForwardError::Moved(to.epoch) } else { ForwardError::Failed(failure) })
            }
            Err(PeerError::Failed(failure)) => Err(ForwardError::Failed(failure)),
        }
    }
}
