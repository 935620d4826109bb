//! A pod's journal that is fast and forgets nothing: Redis before PostgreSQL.
//!
//! Entries are acknowledged in Redis, so that answers wait neither for PostgreSQL's commits nor for its coming back. A
//! Redis that failed over may have forgotten a seal and the last entries. Hence:
//!
//! - What the tables have not got is kept in memory ([`kept`]).
//! - A connection to Redis acknowledges nothing before this pod has read in its own row in PostgreSQL, *after* connecting,
//!   that it is alive, and has written there what the tables have not got ([`care`]).
//! - When memory is short the copies of what the journal has are dropped. A new connection, or the way to PostgreSQL, then
//!   waits until the tables have those entries.
//! - Without Redis the pod goes on in the PostgreSQL journal, once that has all that the tables have not got. Then
//!   its row says so. It comes back by the same rules.
//! - Whoever finishes a dead pod's journal ([`others`]) reads Redis too, unless the row says that nothing is there.

mod care;
mod kept;
mod others;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::{
    entry::{Entry, Lane},
    id::IncarnationId,
};
use smartcart_engine::journal::{AppendError, Journal, JournalError};
use tokio::{
    sync::{Notify, RwLock, watch},
    task::JoinHandle,
    time::Instant,
};

use self::kept::Kept;
use crate::{
    error::RedisError,
    postgres::PostgresJournal,
    redis::{Durability, Link, RedisJournal, Server, Settings},
};
use smartcart_wire::{EntryName, encode_entry};

/// How long an append waits for a place to go before its outcome is called unknown.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long this pod's own seal is asked after.
const VOUCHING: Duration = Duration::from_millis(500);

/// Where entries are acknowledged at the moment.
#[derive(Debug)]
enum Acknowledging {
    Nowhere,
    /// With the connection's number.
    Redis(Link, u64),
    Postgres,
    /// This incarnation was declared dead.
    Over,
}

#[derive(Debug)]
struct Shared {
    me: IncarnationId,
    server: Server,
    /// For what is not this pod's own entries.
    redis: RedisJournal,
    postgres: Arc<PostgresJournal>,
    kept: Mutex<Kept>,
    /// Whoever appends reads it until the answer is there: a change of it waits for what is in flight.
    place: RwLock<Acknowledging>,
    /// Raised when `place` has changed.
    moves: watch::Sender<u64>,
    /// This incarnation is a member, with shards.
    joined: Notify,
    /// The last connection to Redis on which something has failed.
    failed: watch::Sender<u64>,
    /// PostgreSQL may have entries of this incarnation.
    in_postgres: AtomicBool,
    durability: Mutex<Option<Durability>>,
}

/// See the module.
#[derive(Debug)]
pub struct FastJournal {
    shared: Arc<Shared>,
    care: JoinHandle<()>,
}

impl FastJournal {
    /// For one incarnation, which must have joined before it appends. A Redis that does not answer now may do so later; one
    /// that is not durable enough is refused.
    pub async fn open(
        settings: &Settings,
        postgres: Arc<PostgresJournal>,
        me: IncarnationId,
    ) -> Result<Self, RedisError> {
        let server = Server::new(settings)?;
        let durability = match server.durability().await {
            Ok(durability) => Some(durability),
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "the journal begins in PostgreSQL");
                None
            }
            Err(error) => return Err(error),
        };
        let shared = Arc::new(Shared {
            me,
            redis: RedisJournal::new(server.clone()),
            server,
            postgres,
            kept: Mutex::default(),
            place: RwLock::new(Acknowledging::Nowhere),
            moves: watch::Sender::new(0),
            joined: Notify::new(),
            failed: watch::Sender::new(0),
            in_postgres: AtomicBool::new(false),
            durability: Mutex::new(durability),
        });
        let care = tokio::spawn(care::care(shared.clone()));
        Ok(Self { shared, care })
    }

    /// Ends its work. A pod that is no member any more leaves nothing in Redis.
    pub async fn close(&self) {
        self.care.abort();
        let shared = &self.shared;
        if let Ok(false) = shared.postgres.is_member(shared.me).await
            && let Err(error) = shared.leave_redis().await
        {
            tracing::warn!(%error, "this pod's empty journal stays in Redis");
        }
    }
}

impl Drop for FastJournal {
    fn drop(&mut self) {
        self.care.abort();
    }
}

impl Shared {
    async fn leave_redis(&self) -> Result<(), JournalError> {
        self.redis.seal(self.me).await?;
        self.redis.remove(self.me).await
    }

    /// Sends an entry where entries are acknowledged. Nothing: nowhere at the moment.
    async fn send(&self, name: EntryName, record: &Arc<[u8]>) -> Option<Result<(), AppendError>> {
        let place = self.place.read().await;
        if matches!(&*place, Acknowledging::Redis(..) | Acknowledging::Postgres)
            && let Err(error) = self.kept.lock().keep(name.lane, name.sequence, record)
        {
            return Some(Err(error));
        }
        let answer = match &*place {
            Acknowledging::Nowhere => return None,
            Acknowledging::Over => Err(AppendError::Sealed),
            Acknowledging::Postgres => self.postgres.append_record(name, record).await,
            Acknowledging::Redis(link, number) => match link.append(name, record).await {
                Err(AppendError::Sealed) => Err(AppendError::Sealed),
                // A Redis that has forgotten says so by another number: over a new connection it is told again.
                Err(error) => {
                    self.give_up(*number);
                    Err(AppendError::Unknown(error.to_string()))
                }
                Ok(()) => Ok(()),
            },
        };
        if answer.is_ok() {
            self.kept.lock().is_durable(name.lane, name.sequence);
        }
        Some(answer)
    }

    /// Something has failed on a connection to Redis.
    fn give_up(&self, number: u64) {
        self.failed.send_modify(|failed| *failed = number.max(*failed));
    }
}

#[async_trait]
impl Journal for FastJournal {
    fn joined(&self) {
        self.shared.joined.notify_one();
    }

    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        let shared = &self.shared;
        let name = EntryName::of(entry);
        if name.incarnation != shared.me {
            return Err(AppendError::Failed("a pod appends to its own journal only".to_owned()));
        }
        let record: Arc<[u8]> = encode_entry(entry).into();
        let mut moves = shared.moves.subscribe();
        let until = Instant::now() + PATIENCE;
        loop {
            moves.mark_unchanged();
            if let Some(answer) = shared.send(name, &record).await {
                return answer;
            }
            if tokio::time::timeout_at(until, moves.changed()).await.is_err() {
                return Err(AppendError::Unknown("neither Redis nor PostgreSQL takes it now".to_owned()));
            }
        }
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.shared.seal(incarnation).await
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        self.shared.read(incarnation, lane, after, limit).await
    }

    async fn trim(&self, incarnation: IncarnationId, lane: Lane, through: u64) -> Result<(), JournalError> {
        let shared = &self.shared;
        if incarnation == shared.me {
            shared.kept.lock().forget(lane, through);
        }
        if shared.in_postgres.load(Ordering::Acquire) || incarnation != shared.me {
            shared.postgres.trim(incarnation, lane, through).await?;
        }
        let is_in_redis = matches!(&*shared.place.read().await, Acknowledging::Redis(..));
        if is_in_redis || incarnation != shared.me {
            shared.redis.trim(incarnation, lane, through).await?;
        }
        Ok(())
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        self.shared.incarnations().await
    }

    async fn last(&self, incarnation: IncarnationId) -> Result<Vec<(Lane, u64)>, JournalError> {
        self.shared.last(incarnation).await
    }

    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.shared.remove(incarnation).await
    }

    async fn vouches_for(&self, incarnation: IncarnationId) -> bool {
        if incarnation != self.shared.me {
            return false;
        }
        let asking = async {
            match &*self.shared.place.read().await {
                Acknowledging::Redis(link, number) => match link.is_open(incarnation).await {
                    Ok(open) => open,
                    Err(_) => {
                        self.shared.give_up(*number);
                        false
                    }
                },
                _ => false,
            }
        };
        tokio::time::timeout(VOUCHING, asking).await.unwrap_or(false)
    }

    fn held(&self) -> u64 {
        self.shared.kept.lock().bytes()
    }

    fn drop_copies(&self) {
        let dropped = self.shared.kept.lock().drop_copies();
        if dropped > 0 {
            tracing::debug!(dropped, "memory is short: what the journal has is not kept here as well");
        }
    }

    fn status(&self) -> String {
        let Ok(place) = self.shared.place.try_read() else { return "on its way".to_owned() };
        match (&*place, &*self.shared.durability.lock()) {
            (Acknowledging::Redis(..), Some(durability)) => format!("Redis: {durability}"),
            (Acknowledging::Redis(..), None) => "Redis".to_owned(),
            (Acknowledging::Postgres, _) => "PostgreSQL, for want of Redis".to_owned(),
            (Acknowledging::Nowhere, _) => "nowhere yet".to_owned(),
            (Acknowledging::Over, _) => "ended: this incarnation was declared dead".to_owned(),
        }
    }

    fn lanes(&self) -> u16 {
        crate::redis::LANES
    }
}
