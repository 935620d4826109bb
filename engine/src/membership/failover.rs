//! Declares dead whoever is suspected and does not answer, finishes the dead's write-behind, and reassigns their shards.

use std::{collections::HashMap, sync::Arc, time::Duration};

use metrics::counter;
use tokio::{sync::watch, time::Instant};

use super::{
    failure_detector::Suspect, heartbeat::Membership, parts::FleetParts, registry_call::within,
    rendezvous::best_owner,
};
use crate::{
    commit::{RecoveryError, recovery::finish_write_behind},
    journal::JournalError,
    limits::{DECLARE_DEAD_TIMEOUT, REGISTRY_CALL_TIMEOUT, TAKEOVER_PROGRESS_TIMEOUT},
    progress::Progress,
    registry::{Member, MemberState, RegistryError},
    store::StoreError,
};
use smartcart_domain::{id::IncarnationId, shard::ShardId};

/// A damaged journal is looked at again after this.
const QUARANTINE: Duration = Duration::from_secs(30);
/// Whoever gets stuck in a takeover leaves it to the others for so long: several of their heartbeats.
const MAKE_WAY: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum FailoverError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error("nothing of it was done for {} s; another try begins anew", TAKEOVER_PROGRESS_TIMEOUT.as_secs())]
    Stuck,
}

impl From<JournalError> for FailoverError {
    fn from(error: JournalError) -> Self {
        Self::Recovery(error.into())
    }
}

impl FailoverError {
    /// Something acknowledged is missing or unreadable: a person must look.
    const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Recovery(
                RecoveryError::Hole { .. }
                    | RecoveryError::Journal(JournalError::Corrupt { .. })
                    | RecoveryError::Store(
                        StoreError::Corrupt(_) | StoreError::Conflict(_) | StoreError::Unwritable(_)
                    )
            )
        )
    }
}

pub(crate) struct Failover {
    pub(crate) membership: Arc<Membership>,
    pub(crate) parts: Arc<FleetParts>,
}

impl Failover {
    /// Rounds, one after each answer of the registry, until this incarnation is over.
    pub(crate) async fn run(self, mut updates: watch::Receiver<()>) {
        let rounds = async {
            let mut put_off = HashMap::new();
            while updates.changed().await.is_ok() {
                if let Err(error) = self.round(&mut put_off).await {
                    tracing::warn!(%error, "failover round failed; the next one follows the next heartbeat");
                }
            }
        };
        self.membership.while_member(rounds).await;
    }

    async fn round(&self, put_off: &mut HashMap<IncarnationId, Instant>) -> Result<(), RegistryError> {
        let members = self.membership.members();
        for suspect in self.membership.suspects() {
            self.declare_dead(&suspect).await?;
        }
        for dead in members.iter().filter(|member| member.state == MemberState::Dead) {
            self.fail_over(dead, &members, put_off).await?;
        }
        Ok(())
    }

    async fn declare_dead(&self, suspect: &Suspect) -> Result<(), RegistryError> {
        let Suspect { member, replaced } = suspect;
        if !replaced && self.answers(member).await {
            return Ok(());
        }
        let declaring =
            self.parts.registry.declare_dead(self.membership.me().incarnation, member.incarnation);
        if within(DECLARE_DEAD_TIMEOUT, declaring).await? {
            counter!("smartcart_pods_declared_dead_total").increment(1);
            tracing::warn!(pod = member.pod, incarnation = %member.incarnation,
                "a silent pod is declared dead; whoever can finishes its journal and reassigns its shards");
        }
        Ok(())
    }

    /// Whether a suspect answers, and could send heartbeats again. One that answers but cannot reach the registry serves
    /// nobody: others can take over.
    async fn answers(&self, suspect: &Member) -> bool {
        match self.parts.peers.probe(suspect, self.membership.me().incarnation).await {
            Ok(probed) => probed.incarnation == suspect.incarnation && probed.sees_registry,
            Err(_) => false,
        }
    }

    async fn fail_over(
        &self,
        dead: &Member,
        members: &[Member],
        put_off: &mut HashMap<IncarnationId, Instant>,
    ) -> Result<(), RegistryError> {
        if put_off.get(&dead.incarnation).is_some_and(|until| Instant::now() < *until) {
            return Ok(());
        }
        // However much there is to do, it goes on while it gets on. Otherwise the right is dropped, and whoever can does it.
        let progress = Progress::default();
        let taken_over = progress
            .while_made(TAKEOVER_PROGRESS_TIMEOUT, self.take_over(dead, members, &progress))
            .await
            .unwrap_or(Err(FailoverError::Stuck));
        match taken_over {
            Ok(()) => {
                put_off.remove(&dead.incarnation);
                Ok(())
            }
            Err(FailoverError::Registry(error)) => Err(error),
            Err(error) if error.is_damage() => {
                counter!("smartcart_journals_quarantined_total").increment(1);
                tracing::error!(%error, pod = dead.pod, incarnation = %dead.incarnation,
                    "a dead pod's journal is damaged: its shards stay closed until somebody has looked at it");
                put_off.insert(dead.incarnation, Instant::now() + QUARANTINE);
                Ok(())
            }
            // Another pod may get on with it.
            Err(error @ FailoverError::Stuck) => {
                tracing::warn!(%error, pod = dead.pod, incarnation = %dead.incarnation,
                    "a dead pod's journal cannot be finished here; another pod may try for {MAKE_WAY:?}");
                put_off.insert(dead.incarnation, Instant::now() + MAKE_WAY);
                Ok(())
            }
            // Its journal or the tables do not answer: the rest of the fleet is seen to meanwhile.
            Err(error) => {
                tracing::warn!(%error, pod = dead.pod, incarnation = %dead.incarnation,
                    "a dead pod's journal cannot be finished yet; retrying after the next heartbeat");
                Ok(())
            }
        }
    }

    /// Finishes a dead member's write-behind, and then reassigns its shards.
    async fn take_over(
        &self,
        dead: &Member,
        members: &[Member],
        progress: &Progress,
    ) -> Result<(), FailoverError> {
        let Some(takeover) =
            within(REGISTRY_CALL_TIMEOUT, self.parts.registry.take_over(dead.incarnation)).await?
        else {
            return Ok(());
        };
        let began = Instant::now();
        let FleetParts { journal, store, .. } = &*self.parts;
        let finished = finish_write_behind(&**journal, &**store, dead.incarnation, progress).await?;
        journal.remove(dead.incarnation).await?;
        progress.made();
        let reassigned = self.reassign_shards(dead, members).await?;
        within(REGISTRY_CALL_TIMEOUT, takeover.finish(&reassigned)).await?;
        tracing::info!(
            pod = dead.pod,
            shards = reassigned.len(),
            entries = finished.entries,
            entities = finished.entities,
            seconds = began.elapsed().as_secs_f64(),
            "finished a dead pod's journal and reassigned its shards"
        );
        Ok(())
    }

    /// The new owners of a dead member's shards.
    async fn reassign_shards(
        &self,
        dead: &Member,
        members: &[Member],
    ) -> Result<Vec<(ShardId, IncarnationId)>, RegistryError> {
        let rows = within(REGISTRY_CALL_TIMEOUT, self.parts.registry.shards()).await?;
        let theirs = rows.iter().filter(|row| row.owner == Some(dead.incarnation));
        Ok(theirs.filter_map(|row| Some((row.shard, best_owner(row.shard, members)?.incarnation))).collect())
    }
}
