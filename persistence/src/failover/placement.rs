//! Decides where entries are acknowledged: in Redis while it answers, otherwise in PostgreSQL, otherwise nowhere.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use metrics::gauge;
use smartcart_engine::backoff::Backoff;

use super::{
    retained::RetainedLane,
    target::{Shared, Target},
};
use crate::{
    error::RedisError,
    postgres::{FencedWriteError, JournalLocation},
    redis::PublishError,
};

/// Redis may be down this long before the pod goes over to PostgreSQL.
const REDIS_PATIENCE: Duration = Duration::from_secs(1);
/// Without a target, the first retry comes this soon; the pauses then grow.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// While entries go to PostgreSQL, Redis is tried this often.
const RETURN_INTERVAL: Duration = Duration::from_secs(2);

/// What an answer can mean, as the metric's labels have it.
const CLASSES: [&str; 5] = ["single", "replica", "synchronous", "postgres", "none"];

/// Why entries cannot go to a target.
#[derive(Debug)]
enum PlacementError {
    /// This incarnation was declared dead.
    Fenced,
    Failed(String),
}

impl From<RedisError> for PlacementError {
    fn from(error: RedisError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<PublishError> for PlacementError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Sealed => Self::Fenced,
            PublishError::Failed(why) => Self::Failed(why),
        }
    }
}

impl From<FencedWriteError> for PlacementError {
    fn from(error: FencedWriteError) -> Self {
        match error {
            FencedWriteError::Fenced => Self::Fenced,
            FencedWriteError::Failed(why) => Self::Failed(why),
        }
    }
}

pub(super) async fn run(shared: Arc<Shared>) {
    // A pod that has no row yet, or no shards, needs no target.
    shared.joined.notified().await;
    while let Err(PlacementError::Failed(why)) = shared.hold_a_target().await {
        tracing::debug!(why, "the journal has lost its target; looking for the next one");
    }
    tracing::error!("this incarnation was declared dead: its journal takes nothing more");
    shared.move_to(Target::Fenced).await;
}

impl Shared {
    async fn move_to(&self, target: Target) {
        self.set_target(&mut *self.target.write().await, |_| target);
    }

    /// From now on entries go elsewhere: wakes the appends that wait. Returns the number of such moves so far.
    fn set_target(&self, target: &mut Target, new: impl FnOnce(u64) -> Target) -> u64 {
        let number = *self.moves.borrow() + 1;
        *target = new(number);
        let class = match target {
            Target::Redis(..) => self.server.class().name(),
            Target::Postgres => "postgres",
            Target::None | Target::Fenced => "none",
        };
        for name in CLASSES {
            gauge!("smartcart_journal_durability", "class" => name).set(f64::from(u8::from(name == class)));
        }
        self.moves.send_replace(number);
        number
    }

    /// Finds a target and holds it until it fails. Never returns `Ok`.
    async fn hold_a_target(&self) -> Result<(), PlacementError> {
        let (began, mut backoff) = (Instant::now(), Backoff::new(FIRST_PAUSE, LONGEST_PAUSE));
        loop {
            let reason = match self.move_to_redis().await {
                Ok(number) => return Err(self.wait_for_failure(number).await),
                Err(PlacementError::Failed(why)) => why,
                Err(PlacementError::Fenced) => return Err(PlacementError::Fenced),
            };
            if began.elapsed() >= REDIS_PATIENCE {
                match self.move_to_postgres().await {
                    Ok(()) => {
                        tracing::warn!(
                            redis = reason,
                            "Redis does not answer: the journal goes on in PostgreSQL"
                        );
                        return self.return_to_redis().await;
                    }
                    Err(PlacementError::Failed(why)) => {
                        tracing::warn!(
                            redis = reason,
                            postgres = why,
                            "neither Redis nor PostgreSQL takes the journal; retrying"
                        );
                    }
                    Err(PlacementError::Fenced) => return Err(PlacementError::Fenced),
                }
            }
            backoff.wait().await;
            if began.elapsed() < REDIS_PATIENCE {
                backoff.reset();
            }
        }
    }

    /// The order for a new connection: first it is made, then PostgreSQL says that this pod is alive, then Redis gets all
    /// that the tables have not got, and only then is anything acknowledged. Returns the connection's number.
    async fn move_to_redis(&self) -> Result<u64, PlacementError> {
        // Without all of them the attempt would be in vain.
        self.all_retained()?;
        let (link, durability) = self.server.connect(self.me).await?;
        self.postgres.record_location(self.me, JournalLocation::Redis).await?;
        let mut target = self.target.write().await;
        for (lane, base, entries) in self.all_retained()? {
            link.publish(self.me, lane, base, &entries).await?;
        }
        let number = self.set_target(&mut target, |number| Target::Redis(link, number));
        *self.durability.lock() = Some(durability);
        tracing::info!("the journal is in Redis");
        Ok(number)
    }

    /// All that the tables have not got, by lane. When copies of some of it were dropped, the tables must catch up first.
    fn all_retained(&self) -> Result<Vec<RetainedLane>, PlacementError> {
        let retained = self.retained.lock();
        if retained.is_whole() {
            return Ok(retained.all());
        }
        Err(PlacementError::Failed(
            "the tables have not got the entries whose copies were dropped for memory".to_owned(),
        ))
    }

    async fn wait_for_failure(&self, number: u64) -> PlacementError {
        // The sender lives as long as we do.
        let mut failed = self.failed.subscribe();
        drop(failed.wait_for(|failed| *failed >= number).await);
        self.move_to(Target::None).await;
        PlacementError::Failed("a connection to Redis has failed".to_owned())
    }

    /// PostgreSQL gets all that the tables have not got. From then on nobody needs Redis to finish this journal, and the row says so.
    async fn move_to_postgres(&self) -> Result<(), PlacementError> {
        let mut target = self.target.write().await;
        self.in_postgres.store(true, Ordering::Release);
        for (lane, base, entries) in self.all_retained()? {
            self.postgres.import(self.me, lane, base, &entries).await?;
        }
        self.postgres.record_location(self.me, JournalLocation::Postgres).await?;
        self.set_target(&mut target, |_| Target::Postgres);
        Ok(())
    }

    /// Entries are acknowledged in PostgreSQL until Redis has them all.
    async fn return_to_redis(&self) -> Result<(), PlacementError> {
        loop {
            tokio::time::sleep(RETURN_INTERVAL).await;
            match self.move_to_redis().await {
                Ok(number) => return Err(self.wait_for_failure(number).await),
                Err(PlacementError::Fenced) => return Err(PlacementError::Fenced),
                // All of it is in PostgreSQL still.
                Err(PlacementError::Failed(why)) => {
                    tracing::debug!(why, "the journal stays in PostgreSQL");
                    self.postgres.record_location(self.me, JournalLocation::Postgres).await.or_else(
                        |error| match error {
                            FencedWriteError::Fenced => Err(PlacementError::Fenced),
                            FencedWriteError::Failed(_) => Ok(()),
                        },
                    )?;
                }
            }
        }
    }
}
