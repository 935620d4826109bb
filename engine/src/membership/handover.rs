//! Giving shards away on purpose: nobody new enters, those inside finish, the tables get the rest, and then the new
//! owner's name is written. Whoever came meanwhile is sent there. No request fails.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::histogram;

use super::rendezvous::best_owner;
use crate::limits::SHARDS_HANDED_AT_ONCE;
use crate::membership::keeper::Keeper;
use crate::registry::{Epoch, Member, MemberState, RegistryError};
use smartcart_domain::{id::IncarnationId, shard::ShardId};

/// How long those inside have to finish; longer than any request's deadline.
const PATIENCE: Duration = Duration::from_secs(6);

/// Why shards stay where they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    #[error("the requests in the shard did not finish in time")]
    Busy,
    #[error("the new owner is not live, or the shard is not here")]
    Refused,
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Keeper {
    /// Gives shards of this pod to a member, or to nobody, a few at once.
    pub(crate) async fn hand_over(
        self: &Arc<Self>,
        shards: &[ShardId],
        to: Option<&Member>,
    ) -> Result<(), HandoverError> {
        for some in shards.chunks(SHARDS_HANDED_AT_ONCE) {
            self.hand_over_some(some, to).await?;
        }
        Ok(())
    }

    async fn hand_over_some(
        self: &Arc<Self>,
        shards: &[ShardId],
        to: Option<&Member>,
    ) -> Result<(), HandoverError> {
        let books = &self.parts.routes.shards;
        let shards: Vec<ShardId> = shards.iter().copied().filter(|shard| books.is_open(*shard)).collect();
        if shards.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        books.close(&shards, began + PATIENCE).await.map_err(|()| HandoverError::Busy)?;
        self.parts.coordinator.abandon(&shards);
        if self.parts.write_behind.flush_shards(&shards).await.is_err() {
            return Err(RegistryError::Fenced.into());
        }
        books.set_handing(&shards);
        for shard in &shards {
            self.parts.carts.clear(*shard).await;
            self.parts.inventory.clear(*shard).await;
            self.parts.supervisors.stop(*shard);
        }
        self.write_owner(&shards, to).await?;
        let took = began.elapsed();
        for _ in &shards {
            histogram!("smartcart_shard_handoff_duration_seconds").record(took.as_secs_f64());
        }
        Ok(())
    }

    /// Writes the new owner's name. What did not change hands opens again here.
    async fn write_owner(&self, shards: &[ShardId], to: Option<&Member>) -> Result<(), HandoverError> {
        let books = &self.parts.routes.shards;
        let mine: Vec<(ShardId, Epoch)> = shards.iter().map(|shard| (*shard, books.epoch(*shard))).collect();
        let went = self.written_owner(&mine, to.map(|member| member.incarnation)).await?;
        let owner = to.cloned().map(Arc::new);
        for (shard, epoch) in &went {
            books.give(*shard, *epoch, owner.clone());
        }
        let stay: Vec<ShardId> = shards.iter().copied().filter(|shard| !went.contains_key(shard)).collect();
        books.reopen(&stay);
        if stay.is_empty() { Ok(()) } else { Err(HandoverError::Refused) }
    }

    /// Asks until the registry says what became of the shards: meanwhile nobody serves them.
    async fn written_owner(
        &self,
        mine: &[(ShardId, Epoch)],
        to: Option<IncarnationId>,
    ) -> Result<HashMap<ShardId, Epoch>, RegistryError> {
        let mut pause = Duration::from_millis(20);
        let mut asked_before = false;
        loop {
            let answer = match self.parts.registry.hand_over(self.parts.me.incarnation, to, mine).await {
                // The answer to an earlier try was lost: the rows themselves say what it did.
                Ok(went) if went.is_empty() && asked_before => self.parts.registry.shards().await,
                answer => answer,
            };
            match answer {
                Ok(rows) => {
                    let was =
                        |row: &crate::registry::ShardRow| mine.iter().find(|(shard, _)| *shard == row.shard);
                    // It went at the next epoch, whatever has become of it since.
                    let went = |row: &crate::registry::ShardRow| {
                        let (shard, epoch) = was(row).filter(|(_, epoch)| row.epoch > *epoch)?;
                        Some((*shard, Epoch(epoch.0 + 1)))
                    };
                    return Ok(rows.iter().filter_map(went).collect());
                }
                Err(RegistryError::Unavailable(why)) => {
                    tracing::warn!(why, "a hand-over's outcome is not known yet; asking again");
                    asked_before = true;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// By an operator's hand.
    pub(crate) async fn move_shard(self: &Arc<Self>, shard: ShardId, pod: &str) -> Result<(), HandoverError> {
        let _moving = self.moving.lock().await;
        let members = self.members();
        let to = members
            .iter()
            .find(|member| member.pod == pod && member.owns_shards && member.state == MemberState::Live)
            .ok_or(HandoverError::Refused)?;
        if !self.parts.routes.shards.is_open(shard) {
            return Err(HandoverError::Refused);
        }
        if to.incarnation == self.parts.me.incarnation {
            return Ok(());
        }
        self.hand_over(&[shard], Some(to)).await
    }

    /// Says that this member leaves; asked again when the answer was lost.
    async fn leave(&self, until: Instant) -> Result<(), RegistryError> {
        loop {
            match self.parts.registry.leave(self.parts.me.incarnation).await {
                Err(RegistryError::Unavailable(why)) if Instant::now() < until => {
                    tracing::warn!(
                        why,
                        "whether the others know that this pod leaves is not known; asking again"
                    );
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                known => return known,
            }
        }
    }

    /// Gives everything away: to those who should have it, or to nobody when this is the last pod.
    pub(crate) async fn evacuate(self: &Arc<Self>, patience: Duration) -> Result<(), HandoverError> {
        let until = Instant::now() + patience;
        let _moving = self.moving.lock().await;
        self.leave(until).await?;
        loop {
            let members = self.members();
            let others = || members.iter().filter(|member| member.incarnation != self.parts.me.incarnation);
            let mut by_owner: HashMap<Option<IncarnationId>, Vec<ShardId>> = HashMap::new();
            for (shard, _) in self.parts.routes.shards.owned() {
                let owner = best_owner(shard, others()).map(|member| member.incarnation);
                by_owner.entry(owner).or_default().push(shard);
            }
            if by_owner.is_empty() {
                return Ok(());
            }
            let mut last = Ok(());
            for (owner, shards) in by_owner {
                let member = others().find(|member| Some(member.incarnation) == owner);
                for some in shards.chunks(SHARDS_HANDED_AT_ONCE) {
                    let handed = self.hand_over_some(some, member).await;
                    if let Err(HandoverError::Registry(RegistryError::Fenced)) = handed {
                        return handed;
                    }
                    last = last.and(handed);
                }
            }
            if Instant::now() > until {
                return last;
            }
            if last.is_err() {
                // Somebody has gone meanwhile: the next beat says who is left.
                self.parts.routes.shards.newer_map(self.parts.config.beat).await;
            }
        }
    }
}
