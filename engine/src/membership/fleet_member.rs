//! The parts of a member, put together, and what its engine asks of it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::Instant};

use super::{
    config::FleetConfig,
    failover::Failover,
    handover::{Handover, HandoverError, HandoverStep},
    heartbeat::{Membership, MembershipParts},
    journal_confirmation::JournalConfirmation,
    rebalancer::Rebalancer,
    registry_call::within,
    rendezvous::best_owner,
    shard_contents::ShardContents,
};
use crate::backoff::Backoff;
use crate::limits::{REGISTRY_CALL_TIMEOUT, REGISTRY_RETRY_PAUSE, SHARDS_HANDED_OVER_AT_ONCE};
use crate::ownership::shard_map::ShardMap;
use crate::registry::{Member, MemberState, Registry, RegistryError};
use crate::{admission::AdmissionController, clock::ShopClock, journal::Journal, peers::Peers, store::Store};
use smartcart_domain::{id::IncarnationId, shard::ShardId};

/// What a member is made of.
pub(crate) struct FleetParts {
    pub(crate) me: Member,
    pub(crate) config: FleetConfig,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) shards: Arc<ShardMap>,
    pub(crate) contents: Arc<dyn ShardContents>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) gate: Arc<AdmissionController>,
    pub(crate) clock: ShopClock,
    pub(crate) catalog_generation: u64,
}

pub(crate) struct FleetMember {
    pub(super) me: Member,
    pub(crate) membership: Arc<Membership>,
    journal_confirmation: Arc<JournalConfirmation>,
    handover: Arc<Handover>,
    registry: Arc<dyn Registry>,
    peers: Arc<dyn Peers>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    pub(super) shards: Arc<ShardMap>,
    rebalance_delay: Duration,
}

impl std::fmt::Debug for FleetMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetMember").field("me", &self.me).finish_non_exhaustive()
    }
}

impl FleetMember {
    pub(crate) fn new(parts: FleetParts) -> Self {
        let FleetParts { me, config, registry, peers, shards, contents, journal, store, gate, .. } = parts;
        let journal_confirmation = Arc::new(JournalConfirmation::new(
            me.incarnation,
            config.heartbeat_interval,
            journal.clone(),
            shards.clone(),
            gate.clone(),
        ));
        let handover =
            Handover::new(me.incarnation, registry.clone(), shards.clone(), contents.clone(), gate.clone());
        let membership = MembershipParts {
            me: me.clone(),
            config,
            registry: registry.clone(),
            peers: peers.clone(),
            shards: shards.clone(),
            contents,
            journal: journal_confirmation.clone(),
            gate,
            clock: parts.clock,
        };
        Self {
            me,
            membership: Arc::new(Membership::new(membership, parts.catalog_generation)),
            journal_confirmation,
            handover: Arc::new(handover),
            registry,
            peers,
            journal,
            store,
            shards,
            rebalance_delay: config.rebalance_delay,
        }
    }

    /// The tasks of a member.
    pub(crate) fn start(&self) -> Vec<JoinHandle<()>> {
        let failover = Failover {
            membership: self.membership.clone(),
            registry: self.registry.clone(),
            peers: self.peers.clone(),
            journal: self.journal.clone(),
            store: self.store.clone(),
        };
        let mut tasks =
            vec![tokio::spawn(self.journal_confirmation.clone().run()), tokio::spawn(failover.run())];
        if self.me.owns_shards {
            let rebalancer = Rebalancer {
                membership: self.membership.clone(),
                registry: self.registry.clone(),
                handover: self.handover.clone(),
                shards: self.shards.clone(),
                rebalance_delay: self.rebalance_delay,
            };
            tasks.push(tokio::spawn(rebalancer.run()));
        }
        // Last: the others are told of its first heartbeat.
        tasks.push(tokio::spawn(self.membership.clone().run()));
        tasks
    }

    /// By an operator's hand.
    pub(crate) async fn move_shard(&self, shard: ShardId, pod: &str) -> Result<(), HandoverError> {
        let members = self.membership.members();
        let to = members
            .iter()
            .find(|member| member.pod == pod && member.owns_shards && member.state == MemberState::Live)
            .ok_or(HandoverError::Refused)?;
        if !self.shards.is_open(shard) {
            return Err(HandoverError::Refused);
        }
        if to.incarnation == self.me.incarnation {
            return Ok(());
        }
        match self.handover.hand_over(&[shard], Some(to), None).await? {
            // It was closed between the look and the handover's turn.
            0 => Err(HandoverError::Refused),
            _ => Ok(()),
        }
    }

    /// Gives everything away: to those who should have it, or to nobody when this is the last pod.
    pub(crate) async fn drain(&self, patience: Duration) -> Result<(), HandoverError> {
        let until = Instant::now() + patience;
        self.leave(until).await?;
        let mut backoff = Backoff::new(Duration::from_millis(50), REGISTRY_RETRY_PAUSE);
        let mut failed = None;
        loop {
            let moved = self.drain_once(until, &mut failed).await?;
            let left = self.shards.owned().len();
            if left == 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(failed.unwrap_or(HandoverError::NotAllMoved { left }));
            }
            // Somebody has gone meanwhile, or an outcome is unknown: the next heartbeat says more.
            if moved == 0 {
                let next = (Instant::now() + backoff.pause()).min(until);
                tokio::time::sleep_until(next).await;
            } else {
                backoff.reset();
            }
            self.membership.newer_map().await;
        }
    }

    /// One pass over the shards that are still here. How many have moved.
    async fn drain_once(
        &self,
        until: Instant,
        failed: &mut Option<HandoverError>,
    ) -> Result<usize, HandoverError> {
        let mut moved = 0;
        let members = self.membership.members();
        let others: Vec<&Member> =
            members.iter().filter(|member| member.incarnation != self.me.incarnation).collect();
        for (owner, shards) in self.leaving(&others) {
            let to = others.iter().copied().find(|member| Some(member.incarnation) == owner);
            for some in shards.chunks(SHARDS_HANDED_OVER_AT_ONCE) {
                if Instant::now() >= until {
                    return Ok(moved);
                }
                match self.handover.hand_over(some, to, Some(until)).await {
                    Ok(count) => moved += count,
                    Err(HandoverError::Registry(error)) if error.is_fenced() => return Err(error.into()),
                    // The time is nearly over: what failed before says more, or how many are left.
                    Err(HandoverError::TimedOut(HandoverStep::Begin)) => {}
                    Err(error) => *failed = Some(error),
                }
            }
        }
        Ok(moved)
    }

    /// This pod's shards, by who should have them when it has gone.
    fn leaving(&self, others: &[&Member]) -> HashMap<Option<IncarnationId>, Vec<ShardId>> {
        let mut by_owner: HashMap<Option<IncarnationId>, Vec<ShardId>> = HashMap::new();
        for (shard, _) in self.shards.owned() {
            let owner = best_owner(shard, others.iter().copied()).map(|member| member.incarnation);
            by_owner.entry(owner).or_default().push(shard);
        }
        by_owner
    }

    /// Says that this member leaves; asked again when the answer was lost.
    async fn leave(&self, until: Instant) -> Result<(), RegistryError> {
        let mut backoff = Backoff::new(Duration::from_millis(50), REGISTRY_RETRY_PAUSE);
        loop {
            match within(REGISTRY_CALL_TIMEOUT, self.registry.leave(self.me.incarnation)).await {
                Err(RegistryError::Failed(failure)) if !failure.is_fenced() && Instant::now() < until => {
                    tracing::warn!(
                        %failure,
                        "whether the others know that this pod leaves is unknown; asking again"
                    );
                    backoff.wait().await;
                }
                known => return known,
            }
        }
    }

    /// Forgotten by the others: it owns nothing, and the tables have all of its journal.
    pub(crate) async fn deregister(&self) -> Result<(), RegistryError> {
        within(REGISTRY_CALL_TIMEOUT, self.registry.deregister(self.me.incarnation)).await
    }
}
