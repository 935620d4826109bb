//! Decides where entries are acknowledged: in Redis when it can be had, otherwise in PostgreSQL, otherwise nowhere.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use metrics::gauge;

use super::{Acknowledging, Shared, kept::KeptLane};
use crate::{
    error::RedisError,
    postgres::{Place, Unsaid},
    redis::Refused,
};

/// Redis may be away this long before the pod goes over to PostgreSQL.
const MOMENT: Duration = Duration::from_secs(1);
/// Without a place, one is looked for this soon again, and then less and less often.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// In PostgreSQL, Redis is looked for this often.
const BACK: Duration = Duration::from_secs(2);

/// What an answer can mean, as the metric's labels have it.
const CLASSES: [&str; 5] = ["single", "replica", "synchronous", "postgres", "none"];

/// Why a place could not be had.
#[derive(Debug)]
enum NotHad {
    /// This incarnation was declared dead.
    Over,
    Failed(String),
}

impl From<RedisError> for NotHad {
    fn from(error: RedisError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Refused> for NotHad {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Sealed => Self::Over,
            Refused::Failed(why) => Self::Failed(why),
        }
    }
}

impl From<Unsaid> for NotHad {
    fn from(unsaid: Unsaid) -> Self {
        match unsaid {
            Unsaid::Fenced => Self::Over,
            Unsaid::Failed(why) => Self::Failed(why),
        }
    }
}

pub(super) async fn care(shared: Arc<Shared>) {
    // Who has no row yet, or no shards, needs no place.
    shared.joined.notified().await;
    while let Err(NotHad::Failed(why)) = shared.keep_a_place().await {
        tracing::debug!(why, "looking for a place for the journal");
    }
    tracing::error!("this incarnation was declared dead: its journal takes nothing more");
    shared.acknowledge(Acknowledging::Over).await;
}

impl Shared {
    async fn acknowledge(&self, place: Acknowledging) {
        self.settle(&mut *self.place.write().await, |_| place);
    }

    /// Entries are acknowledged elsewhere from now on: tells those who wait. The number of such changes so far.
    fn settle(&self, place: &mut Acknowledging, new: impl FnOnce(u64) -> Acknowledging) -> u64 {
        let number = *self.moves.borrow() + 1;
        *place = new(number);
        let class = match place {
            Acknowledging::Redis(..) => self.server.class().name(),
            Acknowledging::Postgres => "postgres",
            Acknowledging::Nowhere | Acknowledging::Over => "none",
        };
        for name in CLASSES {
            gauge!("smartcart_journal_durability", "class" => name).set(f64::from(u8::from(name == class)));
        }
        self.moves.send_replace(number);
        number
    }

    /// From nowhere to a place, and until it is left. Never returns well.
    async fn keep_a_place(&self) -> Result<(), NotHad> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let away = match self.to_redis().await {
                Ok(number) => return Err(self.until_failed(number).await),
                Err(NotHad::Failed(why)) => why,
                Err(NotHad::Over) => return Err(NotHad::Over),
            };
            if began.elapsed() >= MOMENT {
                match self.to_postgres().await {
                    Ok(()) => {
                        tracing::warn!(away, "Redis is away: the journal goes on in PostgreSQL");
                        return self.back_to_redis().await;
                    }
                    Err(NotHad::Failed(why)) => {
                        tracing::warn!(redis = away, postgres = why, "the journal has no place to go");
                    }
                    Err(NotHad::Over) => return Err(NotHad::Over),
                }
            }
            tokio::time::sleep(pause).await;
            if began.elapsed() >= MOMENT {
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// The rules of a new connection: first it is there, then PostgreSQL says that this pod is alive, then Redis has all
    /// that the tables have not got, and only then something is acknowledged.
    /// The connection's number.
    async fn to_redis(&self) -> Result<u64, NotHad> {
        // It would only be tried in vain.
        self.kept_whole()?;
        let (link, durability) = self.server.connect(self.me).await?;
        self.postgres.say_place(self.me, Place::Redis).await?;
        let mut place = self.place.write().await;
        for (lane, base, entries) in self.kept_whole()? {
            link.publish(self.me, lane, base, &entries).await?;
        }
        let number = self.settle(&mut place, |number| Acknowledging::Redis(link, number));
        *self.durability.lock() = Some(durability);
        tracing::info!("the journal is in Redis");
        Ok(number)
    }

    /// All that the tables have not got, by lanes. When copies of some of it were dropped the tables come first.
    fn kept_whole(&self) -> Result<Vec<KeptLane>, NotHad> {
        let kept = self.kept.lock();
        if kept.is_whole() {
            return Ok(kept.all());
        }
        Err(NotHad::Failed("the tables have not got what memory was too short for".to_owned()))
    }

    async fn until_failed(&self, number: u64) -> NotHad {
        // The sender lives as long as we do.
        let mut failed = self.failed.subscribe();
        drop(failed.wait_for(|failed| *failed >= number).await);
        self.acknowledge(Acknowledging::Nowhere).await;
        NotHad::Failed("a connection to Redis has failed".to_owned())
    }

    /// PostgreSQL gets all that the tables have not got. Then nobody needs Redis to finish this journal, and the row says so.
    async fn to_postgres(&self) -> Result<(), NotHad> {
        let mut place = self.place.write().await;
        self.in_postgres.store(true, Ordering::Release);
        for (lane, base, entries) in self.kept_whole()? {
            self.postgres.take_in(self.me, lane, base, &entries).await?;
        }
        self.postgres.say_place(self.me, Place::Postgres).await?;
        self.settle(&mut place, |_| Acknowledging::Postgres);
        Ok(())
    }

    /// Entries are acknowledged in PostgreSQL until Redis has them all.
    async fn back_to_redis(&self) -> Result<(), NotHad> {
        loop {
            tokio::time::sleep(BACK).await;
            match self.to_redis().await {
                Ok(number) => return Err(self.until_failed(number).await),
                Err(NotHad::Over) => return Err(NotHad::Over),
                // All of it is in PostgreSQL still.
                Err(NotHad::Failed(why)) => {
                    tracing::debug!(why, "the journal stays in PostgreSQL");
                    self.postgres.say_place(self.me, Place::Postgres).await.or_else(
                        |unsaid| match unsaid {
                            Unsaid::Fenced => Err(NotHad::Over),
                            Unsaid::Failed(_) => Ok(()),
                        },
                    )?;
                }
            }
        }
    }
}
