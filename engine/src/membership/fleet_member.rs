//! The parts of a member, put together, and what its engine asks of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::Instant};

use super::{
    failover::Failover,
    handover::{Handover, HandoverError, HandoverStep},
    heartbeat::Membership,
    journal_confirmation::JournalConfirmation,
    parts::FleetParts,
    rebalancer::Rebalancer,
    registry_call::within,
    rendezvous::best_owner,
};
use crate::{
    backoff::Backoff,
    limits::{REGISTRY_CALL_TIMEOUT, REGISTRY_RETRY_PAUSE},
    ownership::shard_map::ShardMap,
    registry::{Member, MemberState, RegistryError},
};
use smartcart_domain::{id::IncarnationId, shard::ShardId};

pub(crate) struct FleetMember {
    parts: Arc<FleetParts>,
    pub(crate) membership: Arc<Membership>,
    journal_confirmation: Arc<JournalConfirmation>,
    handover: Arc<Handover>,
}

impl std::fmt::Debug for FleetMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetMember").field("me", &self.parts.me).finish_non_exhaustive()
    }
}

impl FleetMember {
    pub(crate) fn new(parts: FleetParts) -> Self {
        let parts = Arc::new(parts);
        let journal_confirmation = Arc::new(JournalConfirmation::new(&parts));
        let membership = Arc::new(Membership::new(parts.clone(), journal_confirmation.clone()));
        let FleetParts { me, registry, shards, contents, admission, .. } = &*parts;
        let handover = Handover::new(
            me.incarnation,
            registry.clone(),
            shards.clone(),
            contents.clone(),
            admission.clone(),
        );
        Self { membership, journal_confirmation, handover: Arc::new(handover), parts }
    }

    pub(super) fn me(&self) -> &Member {
        &self.parts.me
    }

    pub(super) fn shards(&self) -> &ShardMap {
        &self.parts.shards
    }

    /// The tasks of a member.
    pub(crate) fn start(&self) -> Vec<JoinHandle<()>> {
        let failover = Failover { membership: self.membership.clone(), parts: self.parts.clone() };
        // Here and not in the tasks: the first heartbeat may come before those run.
        let updates = self.membership.updates();
        let mut tasks = vec![
            tokio::spawn(self.journal_confirmation.clone().run()),
            tokio::spawn(failover.run(updates.clone())),
        ];
        if self.parts.me.owns_shards {
            let rebalancer = Rebalancer {
                membership: self.membership.clone(),
                handover: self.handover.clone(),
                parts: self.parts.clone(),
            };
            tasks.push(tokio::spawn(rebalancer.run(updates)));
        }
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
        if !self.parts.shards.is_open(shard) {
            return Err(HandoverError::Refused);
        }
        if to.incarnation == self.parts.me.incarnation {
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
            let left = self.parts.shards.owned().len();
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
            members.iter().filter(|member| member.incarnation != self.parts.me.incarnation).collect();
        for (owner, shards) in self.leaving(&others) {
            let to = others.iter().copied().find(|member| Some(member.incarnation) == owner);
            let mut left = shards;
            while let Some(group) = self.handover.next_group(&mut left) {
                if Instant::now() >= until {
                    return Ok(moved);
                }
                match self.handover.hand_over(&group, to, Some(until)).await {
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
    fn leaving(&self, others: &[&Member]) -> BTreeMap<Option<IncarnationId>, Vec<ShardId>> {
        let mut by_owner: BTreeMap<Option<IncarnationId>, Vec<ShardId>> = BTreeMap::new();
        for (shard, _) in self.parts.shards.owned() {
            let owner = best_owner(shard, others.iter().copied()).map(|member| member.incarnation);
            by_owner.entry(owner).or_default().push(shard);
        }
        by_owner
    }

    /// Says that this member leaves; asked again when the answer was lost.
    async fn leave(&self, until: Instant) -> Result<(), RegistryError> {
        let mut backoff = Backoff::new(Duration::from_millis(50), REGISTRY_RETRY_PAUSE);
        loop {
            match within(REGISTRY_CALL_TIMEOUT, self.parts.registry.leave(self.parts.me.incarnation)).await {
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
        within(REGISTRY_CALL_TIMEOUT, self.parts.registry.deregister(self.parts.me.incarnation)).await
    }
}
