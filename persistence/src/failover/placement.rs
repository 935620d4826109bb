//! Decides where entries are acknowledged: in Redis while it answers, otherwise in PostgreSQL, otherwise nowhere.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use metrics::gauge;
use smartcart_domain::failure::Failure;
use smartcart_engine::backoff::Backoff;

use super::{
    retained::RetainedLane,
    target::{Shared, Target},
};
use crate::postgres::JournalLocation;

/// Redis may be down this long before the pod goes over to PostgreSQL.
const REDIS_PATIENCE: Duration = Duration::from_secs(1);
/// Without a target, the first retry comes this soon; the pauses then grow.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// While entries go to PostgreSQL, Redis is tried this often.
const RETURN_INTERVAL: Duration = Duration::from_secs(2);

/// What an answer can mean, as the metric's labels have it.
const CLASSES: [&str; 5] = ["single", "replica", "synchronous", "postgres", "none"];

pub(super) async fn run(shared: Arc<Shared>) {
    // A pod that has no row yet, or no shards, needs no target.
    shared.joined.notified().await;
    loop {
        let failure = shared.hold_a_target().await;
        if failure.is_fenced() {
            break;
        }
        tracing::debug!(%failure, "the journal has lost its target; looking for the next one");
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

    /// Finds a target and holds it until it fails: why it failed.
    async fn hold_a_target(&self) -> Failure {
        let (began, mut backoff) = (Instant::now(), Backoff::new(FIRST_PAUSE, LONGEST_PAUSE));
        loop {
            let redis = match self.move_to_redis().await {
                Ok(number) => return self.wait_for_failure(number).await,
                Err(failure) if failure.is_fenced() => return failure,
                Err(failure) => failure,
            };
            if began.elapsed() >= REDIS_PATIENCE {
                match self.move_to_postgres().await {
                    Ok(()) => {
                        tracing::warn!(%redis, "Redis does not answer: the journal goes on in PostgreSQL");
                        return self.return_to_redis().await;
                    }
                    Err(failure) if failure.is_fenced() => return failure,
                    Err(postgres) => {
                        tracing::warn!(
                            %redis,
                            %postgres,
                            "neither Redis nor PostgreSQL takes the journal; retrying"
                        );
                    }
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
    async fn move_to_redis(&self) -> Result<u64, Failure> {
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
    fn all_retained(&self) -> Result<Vec<RetainedLane>, Failure> {
        let retained = self.retained.lock();
        if retained.is_whole() {
            return Ok(retained.all());
        }
        Err(Failure::not_applied("the tables have not got the entries whose copies were dropped for memory"))
    }

    async fn wait_for_failure(&self, number: u64) -> Failure {
        // The sender lives as long as we do.
        let mut failed = self.failed.subscribe();
        drop(failed.wait_for(|failed| *failed >= number).await);
        self.move_to(Target::None).await;
        Failure::indeterminate("a connection to Redis has failed")
    }

    /// PostgreSQL gets all that the tables have not got. From then on nobody needs Redis to finish this journal, and the row says so.
    async fn move_to_postgres(&self) -> Result<(), Failure> {
        let mut target = self.target.write().await;
        self.in_postgres.store(true, Ordering::Release);
        for (lane, base, entries) in self.all_retained()? {
            self.postgres.import(self.me, lane, base, &entries).await?;
        }
        self.postgres.record_location(self.me, JournalLocation::Postgres).await?;
        self.set_target(&mut target, |_| Target::Postgres);
        Ok(())
    }

    /// Entries are acknowledged in PostgreSQL until Redis has them all, and then in Redis: why that failed.
    async fn return_to_redis(&self) -> Failure {
        loop {
            tokio::time::sleep(RETURN_INTERVAL).await;
            let failure = match self.move_to_redis().await {
                Ok(number) => return self.wait_for_failure(number).await,
                Err(failure) => failure,
            };
            if failure.is_fenced() {
                return failure;
            }
            tracing::debug!(%failure, "the journal stays in PostgreSQL");
            // All of it is in PostgreSQL still. The row may name Redis: then whoever finishes this journal reads both.
            match self.postgres.record_location(self.me, JournalLocation::Postgres).await {
                Err(failure) if failure.is_fenced() => return failure,
                Err(failure) => {
                    tracing::debug!(%failure, "where the journal is could not be written; retrying");
                }
                Ok(()) => {}
            }
        }
    }
}
