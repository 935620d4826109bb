//! Sees to it that every shard has an owner, and the right one: claims what nobody owns, declares dead who is silent,
//! finishes what the dead have left, and moves shards when members come and go.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::counter;

use super::rendezvous::best_owner;
use crate::membership::{handover::HandoverError, keeper::Keeper};
use crate::registry::{Member, MemberState, RegistryError, ShardRow};
use crate::{
    commit::{RecoveryError, recovery::finish_write_behind},
    journal::JournalError,
    limits::READS_WITHOUT_CONFIRMATION,
    store::StoreError,
};
use smartcart_domain::{id::IncarnationId, shard::ShardId};

/// A journal that cannot be finished is looked at again after this.
const QUARANTINE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
enum TakeoverError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
}

impl From<JournalError> for TakeoverError {
    fn from(error: JournalError) -> Self {
        Self::Recovery(error.into())
    }
}

impl TakeoverError {
    /// Something acknowledged is missing or unreadable: a person must look.
    const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Recovery(
                RecoveryError::Hole { .. }
                    | RecoveryError::Journal(JournalError::Corrupt { .. })
                    | RecoveryError::Store(StoreError::Corrupt(_) | StoreError::Conflict(_))
            )
        )
    }
}

/// What the steward remembers from round to round.
#[derive(Default)]
struct Memory {
    /// Who was there, and since when nobody has come or gone.
    members: Vec<IncarnationId>,
    since: Option<Instant>,
    /// ShardMap were moved to where they should be after the last coming or going.
    balanced: bool,
    quarantined: HashMap<IncarnationId, Instant>,
}

impl Keeper {
    /// Rounds, whenever the keeper has news, until this incarnation is over.
    pub(super) async fn steward(self: Arc<Self>) {
        let mut memory = Memory::default();
        loop {
            self.news.notified().await;
            if self.parts.gate.read_only().is_some() {
                return;
            }
            if let Err(error) = self.steward_round(&mut memory).await {
                tracing::warn!(%error, "the fleet's shards are seen to in the next round");
            }
        }
    }

    async fn steward_round(self: &Arc<Self>, memory: &mut Memory) -> Result<(), RegistryError> {
        let members = self.members();
        self.accuse(&members).await?;
        for dead in members.iter().filter(|member| member.state == MemberState::Dead) {
            self.bury(dead, &members, memory).await?;
        }
        if !self.parts.me.owns_shards {
            return Ok(());
        }
        self.claim(&members).await?;
        self.balance(&members, memory).await
    }

    /// Declares dead who is silent and does not answer; sooner whoever had this pod's own name before it.
    async fn accuse(&self, members: &[Member]) -> Result<(), RegistryError> {
        let now = Instant::now();
        // Its readers do not trust any more that nobody has taken its shards.
        let gone_after = READS_WITHOUT_CONFIRMATION + self.parts.config.beat;
        let accused: Vec<(Member, bool)> = {
            let observer = self.observer.lock();
            let suspects = observer.suspects(members);
            members
                .iter()
                .filter(|member| {
                    member.incarnation != self.parts.me.incarnation && member.state != MemberState::Dead
                })
                .filter_map(|member| {
                    let gone = member.pod == self.parts.me.pod && observer.silence(member, now) >= gone_after;
                    let silent = suspects.iter().any(|suspect| suspect.incarnation == member.incarnation);
                    (gone || silent).then(|| (member.clone(), gone))
                })
                .collect()
        };
        for (member, gone) in accused {
            if !gone && self.lives(&member).await {
                continue;
            }
            tracing::warn!(pod = member.pod, incarnation = %member.incarnation, "a silent pod is declared dead");
            counter!("smartcart_pods_declared_dead_total").increment(1);
            self.parts.registry.declare_dead(self.parts.me.incarnation, member.incarnation).await?;
        }
        Ok(())
    }

    /// Whether a silent member answers, and could beat again. One that answers but cannot reach the registry serves
    /// nobody: others can take over.
    async fn lives(&self, suspect: &Member) -> bool {
        let Some(peers) = &self.parts.routes.peers else { return false };
        match peers.probe(suspect, self.parts.me.incarnation).await {
            Ok(probed) => probed.incarnation == suspect.incarnation && probed.sees_registry,
            Err(_) => false,
        }
    }

    /// Finishes a dead member's write-behind, and deals its shards out.
    async fn bury(
        self: &Arc<Self>,
        dead: &Member,
        members: &[Member],
        memory: &mut Memory,
    ) -> Result<(), RegistryError> {
        if memory.quarantined.get(&dead.incarnation).is_some_and(|since| since.elapsed() < QUARANTINE) {
            return Ok(());
        }
        match self.take_over(dead, members).await {
            Ok(()) => {
                memory.quarantined.remove(&dead.incarnation);
                Ok(())
            }
            Err(TakeoverError::Registry(error)) => Err(error),
            Err(error) if error.is_damage() => {
                counter!("smartcart_journals_quarantined_total").increment(1);
                tracing::error!(%error, pod = dead.pod, incarnation = %dead.incarnation,
                    "a dead pod's journal is damaged: its shards stay closed until somebody has looked at it");
                memory.quarantined.insert(dead.incarnation, Instant::now());
                Ok(())
            }
            // Its journal or the tables do not answer: the rest of the fleet is seen to meanwhile.
            Err(error) => {
                tracing::warn!(%error, pod = dead.pod, incarnation = %dead.incarnation,
                    "a dead pod's journal cannot be finished yet");
                Ok(())
            }
        }
    }

    async fn take_over(self: &Arc<Self>, dead: &Member, members: &[Member]) -> Result<(), TakeoverError> {
        let Some(right) = self.parts.registry.take_over(dead.incarnation).await? else { return Ok(()) };
        let began = Instant::now();
        let finished =
            finish_write_behind(&*self.parts.journal, &*self.parts.store, dead.incarnation).await?;
        self.parts.journal.remove(dead.incarnation).await?;
        let rows = self.parts.registry.shards().await?;
        let new_owners: Vec<(ShardId, IncarnationId)> = rows
            .iter()
            .filter(|row| row.owner == Some(dead.incarnation))
            .filter_map(|row| Some((row.shard, best_owner(row.shard, members)?.incarnation)))
            .collect();
        right.finish(&new_owners).await?;
        tracing::info!(
            pod = dead.pod,
            shards = new_owners.len(),
            entries = finished.entries,
            entities = finished.entities,
            seconds = began.elapsed().as_secs_f64(),
            "finished a dead pod's journal and dealt its shards out"
        );
        Ok(())
    }

    /// Takes what nobody owns and should be this pod's.
    async fn claim(self: &Arc<Self>, members: &[Member]) -> Result<(), RegistryError> {
        let rows = self.rows.load();
        let unowned = |row: &&ShardRow| {
            row.owner.is_none_or(|owner| !members.iter().any(|member| member.incarnation == owner))
        };
        let mine: Vec<ShardId> = rows
            .iter()
            .filter(unowned)
            .filter(|row| self.should_be_mine(row.shard, members))
            .map(|row| row.shard)
            .collect();
        if mine.is_empty() {
            return Ok(());
        }
        let claimed = self.parts.registry.claim(self.parts.me.incarnation, &mine).await?;
        self.keep_books(&claimed)
    }

    fn should_be_mine(&self, shard: ShardId, members: &[Member]) -> bool {
        best_owner(shard, members).is_some_and(|member| member.incarnation == self.parts.me.incarnation)
    }

    /// Once after each coming and going, when things have settled: what should be elsewhere is handed over.
    async fn balance(self: &Arc<Self>, members: &[Member], memory: &mut Memory) -> Result<(), RegistryError> {
        let now: Vec<IncarnationId> = members
            .iter()
            .filter(|member| member.state == MemberState::Live && member.owns_shards)
            .map(|member| member.incarnation)
            .collect();
        if now != memory.members {
            *memory = Memory {
                members: now,
                since: Some(Instant::now()),
                balanced: false,
                quarantined: std::mem::take(&mut memory.quarantined),
            };
        }
        let settled = memory.since.is_some_and(|since| since.elapsed() >= self.parts.config.settled);
        if memory.balanced || !settled {
            return Ok(());
        }
        let Ok(_moving) = self.moving.try_lock() else { return Ok(()) };
        let mut by_owner: HashMap<IncarnationId, Vec<ShardId>> = HashMap::new();
        for (shard, _) in self.parts.routes.shards.owned() {
            if let Some(owner) = best_owner(shard, members)
                && owner.incarnation != self.parts.me.incarnation
            {
                by_owner.entry(owner.incarnation).or_default().push(shard);
            }
        }
        memory.balanced = true;
        for (owner, shards) in by_owner {
            let to = members.iter().find(|member| member.incarnation == owner);
            match self.hand_over(&shards, to).await {
                Ok(()) => {}
                Err(HandoverError::Registry(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "some shards stay where they are for now");
                    memory.balanced = false;
                }
            }
        }
        Ok(())
    }
}
