//! Brings shards to where they should be: claims what nobody owns, and hands over what should be elsewhere when members
//! have come or gone.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    handover::{Handover, HandoverError},
    heartbeat::Membership,
    registry_call::within,
    rendezvous::best_owner,
};
use crate::limits::{REGISTRY_CALL_TIMEOUT, SHARDS_HANDED_OVER_AT_ONCE};
use crate::ownership::shard_map::ShardMap;
use crate::registry::{Member, MemberState, Registry, RegistryError, ShardRow};
use smartcart_domain::{id::IncarnationId, shard::ShardId};

pub(crate) struct Rebalancer {
    pub(crate) membership: Arc<Membership>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) handover: Arc<Handover>,
    pub(crate) shards: Arc<ShardMap>,
    pub(crate) rebalance_delay: Duration,
}

/// Who could own shards at the last look, and since when nobody has come or gone.
#[derive(Default)]
struct Stability {
    members: Vec<IncarnationId>,
    since: Option<Instant>,
    /// Shards were moved to where they should be after the last coming or going.
    balanced: bool,
}

impl Rebalancer {
    /// Rounds, one after each answer of the registry, until this incarnation is over.
    pub(crate) async fn run(self) {
        let mut stability = Stability::default();
        let mut updates = self.membership.updates();
        while updates.changed().await.is_ok() && !self.membership.is_over() {
            let members = self.membership.members();
            let round = async {
                self.claim(&members).await?;
                self.balance(&members, &mut stability).await
            };
            if let Err(error) = round.await {
                tracing::warn!(%error, "rebalancing failed; retrying after the next heartbeat");
            }
        }
    }

    /// Takes what nobody owns and should be this pod's.
    async fn claim(&self, members: &[Member]) -> Result<(), RegistryError> {
        let me = self.membership.me().incarnation;
        let unowned = |row: &&ShardRow| {
            row.owner.is_none_or(|owner| !members.iter().any(|member| member.incarnation == owner))
        };
        let mine =
            |row: &&ShardRow| best_owner(row.shard, members).is_some_and(|member| member.incarnation == me);
        let rows = self.membership.rows();
        let claims: Vec<ShardId> = rows.iter().filter(unowned).filter(mine).map(|row| row.shard).collect();
        if claims.is_empty() {
            return Ok(());
        }
        let claimed = within(REGISTRY_CALL_TIMEOUT, self.registry.claim(me, &claims)).await?;
        self.membership.apply_rows(&claimed)
    }

    /// Once after each coming and going, when members have been the same for a while.
    async fn balance(&self, members: &[Member], stability: &mut Stability) -> Result<(), RegistryError> {
        let now: Vec<IncarnationId> = members
            .iter()
            .filter(|member| member.state == MemberState::Live && member.owns_shards)
            .map(|member| member.incarnation)
            .collect();
        if now != stability.members {
            *stability = Stability { members: now, since: Some(Instant::now()), balanced: false };
        }
        let stable = stability.since.is_some_and(|since| since.elapsed() >= self.rebalance_delay);
        if stability.balanced || !stable {
            return Ok(());
        }
        for (owner, shards) in self.misplaced(members) {
            let to = members.iter().find(|member| member.incarnation == owner);
            match self.hand_over(&shards, to).await {
                Ok(()) => {}
                Err(HandoverError::Registry(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "some shards stay where they are; retrying after the next heartbeat");
                }
            }
        }
        // Also those count whose handover has not ended: they may yet stay here.
        stability.balanced = self.misplaced(members).is_empty();
        Ok(())
    }

    /// Shards of this pod that should be another's.
    fn misplaced(&self, members: &[Member]) -> HashMap<IncarnationId, Vec<ShardId>> {
        let mut by_owner: HashMap<IncarnationId, Vec<ShardId>> = HashMap::new();
        for (shard, _) in self.shards.owned() {
            if let Some(owner) = best_owner(shard, members)
                && owner.incarnation != self.membership.me().incarnation
            {
                by_owner.entry(owner.incarnation).or_default().push(shard);
            }
        }
        by_owner
    }

    async fn hand_over(&self, shards: &[ShardId], to: Option<&Member>) -> Result<(), HandoverError> {
        for some in shards.chunks(SHARDS_HANDED_OVER_AT_ONCE) {
            self.handover.hand_over(some, to, None).await?;
        }
        Ok(())
    }
}
