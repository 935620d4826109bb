//! Giving shards away on purpose: nobody new enters, those inside finish, the tables get the rest, memory is cleared, and
//! then the new owner's name is written. Whoever came meanwhile is sent there. No request fails.
//!
//! Whatever ends a handover before the registry was asked opens the shards here again. Once it was asked, a task of its own
//! asks until the outcome is known, whoever still waits for it.

mod group;

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use metrics::histogram;
use tokio::{sync::Mutex, time::Instant};

use super::{registry_call::within, shard_contents::ShardContents};
use crate::{
    admission::AdmissionController,
    backoff::Backoff,
    limits::{
        HANDOVER_CLEAR_TIMEOUT, HANDOVER_DRAIN_TIMEOUT, HANDOVER_FLUSH_TIMEOUT, HANDOVER_LEAST_TIME,
        HANDOVER_OUTCOME_TIMEOUT, HANDOVER_TIMEOUT, REGISTRY_CALL_TIMEOUT, REGISTRY_RETRY_PAUSE,
    },
    ownership::{
        departure::{Departure, UnknownOutcome},
        shard_map::ShardMap,
    },
    registry::{Epoch, Member, Registry, RegistryError, ShardRow},
    store::StoreError,
};
use smartcart_domain::{failure::Failure, id::IncarnationId, shard::ShardId};

/// The name of the contract, and the one before it, which goes with the next version.
const DURATION: &str = "smartcart_shard_handover_duration_seconds";
const DURATION_BEFORE: &str = "smartcart_shard_handoff_duration_seconds";

const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Why a handover has not moved its shards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    #[error("the handover did not {0} in time: its shards stay here")]
    TimedOut(HandoverStep),
    #[error("the new owner is not live, or the shard is not here")]
    Refused,
    #[error("the registry has not said yet whether the shard has moved; it is asked until it does")]
    OutcomeUnknown,
    #[error("{left} shards are still here")]
    NotAllMoved { left: usize },
    #[error("the shard's last changes are not in the tables: {0}")]
    Flush(String),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What a handover had not done when its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandoverStep {
    #[error("begin")]
    Begin,
    #[error("see the requests in the shard finish")]
    Drain,
    #[error("get the shard's last changes into the tables")]
    Flush,
    #[error("clear the shard from memory")]
    Clear,
}

pub(crate) struct Handover {
    me: IncarnationId,
    registry: Arc<dyn Registry>,
    map: Arc<ShardMap>,
    contents: Arc<dyn ShardContents>,
    admission: Arc<AdmissionController>,
    /// Only a few shards are closed at once, whoever moves them: the rebalancer, an operator, or the end.
    moving: Mutex<()>,
}

impl Handover {
    pub(crate) fn new(
        me: IncarnationId,
        registry: Arc<dyn Registry>,
        map: Arc<ShardMap>,
        contents: Arc<dyn ShardContents>,
        admission: Arc<AdmissionController>,
    ) -> Self {
        Self { me, registry, map, contents, admission, moving: Mutex::default() }
    }

    /// Takes the shards that are handed over next from those that are left.
    pub(crate) fn next_group(&self, left: &mut Vec<ShardId>) -> Option<Vec<ShardId>> {
        let group = group::next_group(left, |shard| group::Load {
            busy: self.map.is_busy(shard),
            entities: self.contents.residents(shard),
        });
        (!group.is_empty()).then_some(group)
    }

    /// Gives a few shards of this pod to a member, or to nobody, and says by `until`, if there is such a moment, what became
    /// of it. How many have moved: those that were not open here have not.
    pub(crate) async fn hand_over(
        &self,
        shards: &[ShardId],
        to: Option<&Member>,
        until: Option<Instant>,
    ) -> Result<usize, HandoverError> {
        let steps_until = steps_until(until)?;
        self.flush_ahead(shards, steps_until).await?;
        let too_late = |_| HandoverError::TimedOut(HandoverStep::Begin);
        let turn = earlier(Instant::now() + HANDOVER_TIMEOUT, until);
        let _moving = tokio::time::timeout_at(turn, self.moving.lock()).await.map_err(too_late)?;
        let (began, steps_until) = (Instant::now(), self::steps_until(until)?);
        let Some(departure) = self.empty(shards, steps_until).await? else { return Ok(0) };
        let count = departure.shards().len();
        let transfer = OwnershipTransfer {
            began,
            me: self.me,
            registry: self.registry.clone(),
            admission: self.admission.clone(),
            to: to.cloned().map(Arc::new),
            outcome: departure.ask_registry(),
        };
        let asking = tokio::spawn(transfer.ask_until_known());
        let patience = earlier(Instant::now() + HANDOVER_OUTCOME_TIMEOUT, until);
        match tokio::time::timeout_at(patience, asking).await {
            Ok(Ok(answer)) => answer?,
            // It still asks, or the runtime ends.
            Ok(Err(_)) | Err(_) => return Err(HandoverError::OutcomeUnknown),
        }
        Ok(count)
    }

    /// Brings most of what is in the shards into the tables while they are still open: then those who wait when they are
    /// closed wait for little. With tables that do not take it in time, nothing is closed at all.
    async fn flush_ahead(&self, shards: &[ShardId], until: Option<Instant>) -> Result<(), HandoverError> {
        let open: Vec<ShardId> = shards.iter().copied().filter(|shard| self.map.is_open(*shard)).collect();
        let flush = self.contents.flush_ahead(&open);
        in_time(HandoverStep::Flush, HANDOVER_FLUSH_TIMEOUT, until, flush)
            .await?
            .map_err(|error| self.not_flushed(error))
    }

    /// Closes the shards, and brings all that is in them into the tables. Nothing: none of them is here.
    async fn empty(
        &self,
        shards: &[ShardId],
        until: Option<Instant>,
    ) -> Result<Option<Departure>, HandoverError> {
        let mut departure = Departure::begin(&self.map, shards);
        if departure.shards().is_empty() {
            return Ok(None);
        }
        in_time(HandoverStep::Drain, HANDOVER_DRAIN_TIMEOUT, until, departure.drained()).await?;
        let flush = self.contents.flush(departure.shards());
        in_time(HandoverStep::Flush, HANDOVER_FLUSH_TIMEOUT, until, flush)
            .await?
            .map_err(|error| self.not_flushed(error))?;
        // The tables have all of them now: whatever stops here can be looked up there, by this pod or the next.
        let contents = self.contents.clone();
        departure.resume_with(move |stay| contents.resume(stay));
        self.contents.abandon(departure.shards());
        departure.transfer();
        let clear = async {
            for shard in departure.shards() {
                self.contents.clear(*shard).await;
            }
        };
        in_time(HandoverStep::Clear, HANDOVER_CLEAR_TIMEOUT, until, clear).await?;
        Ok(Some(departure))
    }

    fn not_flushed(&self, error: StoreError) -> HandoverError {
        match error {
            StoreError::Failed(failure) if failure.is_fenced() => {
                self.admission.fail_stop(&failure.reason);
                RegistryError::from(failure).into()
            }
            other => HandoverError::Flush(other.to_string()),
        }
    }
}

/// By when the registry must be asked: whatever the steps before take, it has the time of one call to answer.
fn steps_until(until: Option<Instant>) -> Result<Option<Instant>, HandoverError> {
    let now = Instant::now();
    let steps_until = until.map(|until| until.checked_sub(REGISTRY_CALL_TIMEOUT).unwrap_or(now));
    if steps_until.is_some_and(|until| until < now + HANDOVER_LEAST_TIME) {
        return Err(HandoverError::TimedOut(HandoverStep::Begin));
    }
    Ok(steps_until)
}

fn earlier(moment: Instant, bound: Option<Instant>) -> Instant {
    bound.map_or(moment, |bound| bound.min(moment))
}

async fn in_time<T>(
    step: HandoverStep,
    timeout: Duration,
    until: Option<Instant>,
    doing: impl Future<Output = T>,
) -> Result<T, HandoverError> {
    let deadline = earlier(Instant::now() + timeout, until);
    tokio::time::timeout_at(deadline, doing).await.map_err(|_| HandoverError::TimedOut(step))
}

/// Asks the registry to write a new owner, until it is known whether it has. Meanwhile nobody serves the shards.
struct OwnershipTransfer {
    me: IncarnationId,
    registry: Arc<dyn Registry>,
    admission: Arc<AdmissionController>,
    to: Option<Arc<Member>>,
    outcome: UnknownOutcome,
    /// When its shards were closed.
    began: Instant,
}

impl OwnershipTransfer {
    async fn ask_until_known(self) -> Result<(), HandoverError> {
        let mut backoff = Backoff::new(FIRST_PAUSE, REGISTRY_RETRY_PAUSE);
        let mut asked_before = false;
        loop {
            match self.ask(asked_before).await {
                Ok(rows) => {
                    let went = went(&rows, self.outcome.shards());
                    self.record_duration(went.len());
                    let all_went = self.outcome.resolve(&went, self.to.as_ref());
                    return if all_went { Ok(()) } else { Err(HandoverError::Refused) };
                }
                // Whoever has declared this incarnation dead decides about its shards.
                Err(RegistryError::Failed(failure)) if failure.is_fenced() => {
                    self.admission.fail_stop(&failure.reason);
                    return Err(RegistryError::from(failure).into());
                }
                Err(error) => {
                    let pause = backoff.pause();
                    tracing::warn!(%error, "a handover's outcome is unknown; asking again in {pause:?}");
                    asked_before = true;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Of every shard that has moved, also when whoever wanted that waits no more: those are the slow ones.
    fn record_duration(&self, moved: usize) {
        let took = self.began.elapsed().as_secs_f64();
        for _ in 0..moved {
            histogram!(DURATION).record(took);
            histogram!(DURATION_BEFORE).record(took);
        }
    }

    /// Asks once. That the registry has not answered in time, or has failed on the way, says nothing about its outcome.
    async fn ask(&self, asked_before: bool) -> Result<Vec<ShardRow>, RegistryError> {
        let to = self.to.as_ref().map(|member| member.incarnation);
        let asking = async {
            let went = self.registry.hand_over(self.me, to, self.outcome.shards()).await?;
            // The answer to an earlier call was lost: the rows themselves say what it did.
            if went.is_empty() && asked_before { self.registry.shards().await } else { Ok(went) }
        };
        let asking = AssertUnwindSafe(asking).catch_unwind();
        let panicked = |_| Err(Failure::indeterminate("it panicked").into());
        within(REGISTRY_CALL_TIMEOUT, asking.map(|answer| answer.unwrap_or_else(panicked))).await
    }
}

/// Of the shards that were asked for, those whose epoch is higher now: they went at the next one, whatever has become of
/// them since.
fn went(rows: &[ShardRow], asked: &[(ShardId, Epoch)]) -> HashMap<ShardId, Epoch> {
    let went = |row: &ShardRow| {
        let (shard, epoch) = asked.iter().find(|(shard, epoch)| *shard == row.shard && row.epoch > *epoch)?;
        Some((*shard, Epoch(epoch.0 + 1)))
    };
    rows.iter().filter_map(went).collect()
}

#[cfg(test)]
mod tests;
