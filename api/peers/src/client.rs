use std::collections::HashMap;

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::{failure::Failure, id::IncarnationId, peer::PeerReply};
use smartcart_engine::{
    peers::{Envelope, PeerError, Peers, ProbeResponse},
    registry::Member,
};
use smartcart_wire::peer;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    link::{Link, Outgoing},
    trust::Trust,
};

/// Asks other pods over gRPC.
pub struct GrpcPeers {
    trust: Trust,
    /// By address. Links to pods that have left stay until the map is full.
    links: Mutex<HashMap<String, Link>>,
}

/// More links than any fleet has pods: a bound on those that are left over from pods that have gone.
const MAX_LINKS: usize = 1024;

impl std::fmt::Debug for GrpcPeers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcPeers").field("links", &self.links.lock().len()).finish_non_exhaustive()
    }
}

impl GrpcPeers {
    pub fn new(trust: Trust) -> Self {
        Self { trust, links: Mutex::default() }
    }

    fn link(&self, to: &Member) -> Link {
        let mut links = self.links.lock();
        if let Some(link) = links.get(&to.address) {
            return link.clone();
        }
        if links.len() >= MAX_LINKS {
            links.clear();
        }
        let link = Link::to(to.address.clone(), self.trust.clone());
        links.insert(to.address.clone(), link.clone());
        link
    }
}

#[async_trait]
impl Peers for GrpcPeers {
    async fn ask(&self, to: &Member, envelope: Envelope<'_>) -> Result<PeerReply, PeerError> {
        let Envelope { request, epoch, hops, deadline } = envelope;
        let request = peer::encode_request(request)
            .ok_or_else(|| Failure::not_applied("the steps of a checkout are not sent to other pods"))?;
        let (reply_to, reply) = oneshot::channel();
        let outgoing =
            Outgoing { request: request.into(), epoch: epoch.0, hops: hops.into(), deadline, reply_to };
        self.link(to).send(outgoing)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let reply = match tokio::time::timeout(left, reply).await {
            Ok(Ok(reply)) => reply?,
            Ok(Err(_)) => return Err(Failure::indeterminate("the connection was lost").into()),
            Err(_) => return Err(Failure::indeterminate("no answer in time").into()),
        };
        peer::decode_reply(&reply).map_err(|error| Failure::indeterminate(error.to_string()).into())
    }

    async fn probe(&self, to: &Member, asker: IncarnationId) -> Result<ProbeResponse, PeerError> {
        let probed = self.link(to).probe(asker.to_string()).await?;
        let incarnation = probed
            .incarnation
            .parse()
            .map_err(|_| Failure::indeterminate("the pod answered without its incarnation"))?;
        Ok(ProbeResponse {
            incarnation,
            sees_registry: probed.sees_registry,
            knows_asker: probed.knows_asker,
        })
    }
}
