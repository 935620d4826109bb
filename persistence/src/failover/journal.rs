//! Entries are acknowledged in Redis, otherwise in PostgreSQL; what both have is read as one.

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
    failure::Failure,
    id::IncarnationId,
};
use smartcart_engine::journal::{AppendError, Journal, JournalError, JournalPlacement};
use tokio::{
    sync::{Notify, RwLock, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{
    placement,
    target::{Shared, Target},
};
use crate::{
    error::RedisError,
    postgres::PostgresJournal,
    redis::{RedisJournal, Server, Settings},
};
use smartcart_wire::{EntryName, encode_entry};

/// How long an append waits for a target before its outcome is called unknown.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long this pod's own seal is asked after.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_millis(500);

/// One pod's journal; its rules are those of the module.
#[derive(Debug)]
pub struct FailoverJournal {
    shared: Arc<Shared>,
    placement: JoinHandle<()>,
}

impl FailoverJournal {
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
            retained: Mutex::default(),
            target: RwLock::new(Target::None),
            moves: watch::Sender::new(0),
            joined: Notify::new(),
            failed: watch::Sender::new(0),
            in_postgres: AtomicBool::new(false),
            durability: Mutex::new(durability),
        });
        let placement = tokio::spawn(placement::run(shared.clone()));
        Ok(Self { shared, placement })
    }

    /// Ends its work. A pod that is no member any more leaves nothing in Redis.
    pub async fn close(&self) {
        self.placement.abort();
        let shared = &self.shared;
        if let Ok(false) = shared.postgres.is_member(shared.me).await
            && let Err(error) = shared.leave_redis().await
        {
            tracing::warn!(%error, "this pod's empty journal stays in Redis");
        }
    }
}

impl Drop for FailoverJournal {
    fn drop(&mut self) {
        self.placement.abort();
    }
}

#[async_trait]
impl Journal for FailoverJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        let shared = &self.shared;
        let name = EntryName::of(entry);
        if name.incarnation != shared.me {
            return Err(AppendError::Unwritable(Failure::not_applied(
                "a pod appends to its own journal only",
            )));
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
                return Err(Failure::indeterminate("neither Redis nor PostgreSQL takes it now").into());
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
            shared.retained.lock().forget(lane, through);
        }
        if shared.in_postgres.load(Ordering::Acquire) || incarnation != shared.me {
            shared.postgres.trim(incarnation, lane, through).await?;
        }
        let is_in_redis = matches!(&*shared.target.read().await, Target::Redis(..));
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

    fn lanes(&self) -> u16 {
        crate::redis::LANES
    }
}

#[async_trait]
impl JournalPlacement for FailoverJournal {
    fn joined(&self) {
        self.shared.joined.notify_one();
    }

    async fn confirms_ownership(&self, incarnation: IncarnationId) -> bool {
        if incarnation != self.shared.me {
            return false;
        }
        let asking = async {
            match &*self.shared.target.read().await {
                Target::Redis(link, number) => match link.is_open(incarnation).await {
                    Ok(open) => open,
                    Err(_) => {
                        self.shared.give_up(*number);
                        false
                    }
                },
                _ => false,
            }
        };
        tokio::time::timeout(CONFIRMATION_TIMEOUT, asking).await.unwrap_or(false)
    }

    fn retained_bytes(&self) -> u64 {
        self.shared.retained.lock().bytes()
    }

    fn drop_copies(&self) {
        let dropped = self.shared.retained.lock().drop_copies();
        if dropped > 0 {
            tracing::debug!(dropped, "memory is short: dropped the copies of entries that the journal has");
        }
    }

    fn location(&self) -> String {
        let Ok(target) = self.shared.target.try_read() else { return "moving".to_owned() };
        match (&*target, &*self.shared.durability.lock()) {
            (Target::Redis(..), Some(durability)) => format!("Redis: {durability}"),
            (Target::Redis(..), None) => "Redis".to_owned(),
            (Target::Postgres, _) => "PostgreSQL, because Redis does not answer".to_owned(),
            (Target::None, _) => "nowhere yet".to_owned(),
            (Target::Fenced, _) => "ended: this incarnation was declared dead".to_owned(),
        }
    }
}
