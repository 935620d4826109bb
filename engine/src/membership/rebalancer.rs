//! Brings shards to where they should be: claims what nobody owns, and hands over what should be elsewhere when members
//! have come or gone.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::watch, time::Instant};

use super::{
    handover::{Handover, HandoverError},
    heartbeat::Membership,
    parts::FleetParts,
    registry_call::within,
    rendezvous::best_owner,
};
use crate::{
    limits::REGISTRY_CALL_TIMEOUT,
    registry::{Member, MemberState, RegistryError, ShardRow},
};
use smartcart_domain::{id::IncarnationId, shard::ShardId};

pub(crate) struct Rebalancer {
    pub(crate) membership: Arc<Membership>,
    pub(crate) handover: Arc<Handover>,
    pub(crate) parts: Arc<FleetParts>,
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
    pub(crate) async fn run(self, mut updates: watch::Receiver<()>) {
        let rounds = async {
            let mut stability = Stability::default();
            while updates.changed().await.is_ok() {
                if let Err(error) = self.round(&mut stability).await {
                    tracing::warn!(%error, "rebalancing failed; retrying after the next heartbeat");
                }
            }
        };
        self.membership.while_member(rounds).await;
    }

    async fn round(&self, stability: &mut Stability) -> Result<(), RegistryError> {
        let members = self.membership.members();
        self.claim(&members).await?;
        self.balance(&members, stability).await
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
        let claimed = within(REGISTRY_CALL_TIMEOUT, self.parts.registry.claim(me, &claims)).await?;
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
        let stable =
            stability.since.is_some_and(|since| since.elapsed() >= self.parts.config.rebalance_delay);
        if stability.balanced || !stable {
            return Ok(());
        }
        for (owner, shards) in self.misplaced(members) {
            let to = members.iter().find(|member| member.incarnation == owner);
            match self.hand_over(shards, to).await {
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
    fn misplaced(&self, members: &[Member]) -> BTreeMap<IncarnationId, Vec<ShardId>> {
        let mut by_owner: BTreeMap<IncarnationId, Vec<ShardId>> = BTreeMap::new();
        for (shard, _) in self.parts.shards.owned() {
            if let Some(owner) = best_owner(shard, members)
                && owner.incarnation != self.membership.me().incarnation
            {
                by_owner.entry(owner.incarnation).or_default().push(shard);
            }
        }
        by_owner
    }

    async fn hand_over(&self, mut shards: Vec<ShardId>, to: Option<&Member>) -> Result<(), HandoverError> {
        while let Some(group) = self.handover.next_group(&mut shards) {
            self.handover.hand_over(&group, to, None).await?;
        }
        Ok(())
    }
}
