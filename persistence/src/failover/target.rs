//! Where this pod's entries go at the moment, and what the parts of the journal share.

use std::sync::{Arc, atomic::AtomicBool};

use parking_lot::Mutex;
use smartcart_domain::{failure::Failure, id::IncarnationId};
use smartcart_engine::journal::{AppendError, Journal as _, JournalError};
use tokio::sync::{Notify, RwLock, watch};

use super::retained::Retained;
use crate::{
    postgres::PostgresJournal,
    redis::{Durability, Link, RedisJournal, Server},
};
use smartcart_wire::EntryName;

/// Where entries are acknowledged at the moment.
#[derive(Debug)]
pub(super) enum Target {
    None,
    /// With the connection's number.
    Redis(Link, u64),
    Postgres,
    /// This incarnation was declared dead.
    Fenced,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) me: IncarnationId,
    pub(super) server: Server,
    /// For everything but this pod's own entries.
    pub(super) redis: RedisJournal,
    pub(super) postgres: Arc<PostgresJournal>,
    pub(super) retained: Mutex<Retained>,
    /// An append holds it for reading until it is answered: a move waits for what is in flight.
    pub(super) target: RwLock<Target>,
    /// Counts the moves of `target`.
    pub(super) moves: watch::Sender<u64>,
    /// This incarnation is a member, with shards.
    pub(super) joined: Notify,
    /// The last connection to Redis on which something has failed.
    pub(super) failed: watch::Sender<u64>,
    /// PostgreSQL may have entries of this incarnation.
    pub(super) in_postgres: AtomicBool,
    pub(super) durability: Mutex<Option<Durability>>,
}

impl Shared {
    pub(super) async fn leave_redis(&self) -> Result<(), JournalError> {
        self.redis.seal(self.me).await?;
        self.redis.remove(self.me).await
    }

    /// Sends an entry to the target; `None` while there is none.
    pub(super) async fn send(&self, name: EntryName, record: &Arc<[u8]>) -> Option<Result<(), AppendError>> {
        let target = self.target.read().await;
        if matches!(&*target, Target::Redis(..) | Target::Postgres)
            && let Err(error) = self.retained.lock().keep(name.lane, name.sequence, record)
        {
            return Some(Err(error));
        }
        let answer = match &*target {
            Target::None => return None,
            Target::Fenced => Err(Failure::fenced().into()),
            Target::Postgres => self.postgres.append_record(name, record).await,
            Target::Redis(link, number) => match link.append(name, record).await {
                Err(AppendError::Failed(failure)) if failure.is_fenced() => Err(failure.into()),
                // A Redis that has forgotten entries expects another number: a new connection publishes them again.
                Err(error) => {
                    self.give_up(*number);
                    Err(Failure::indeterminate(error.to_string()).into())
                }
                Ok(()) => Ok(()),
            },
        };
        if answer.is_ok() {
            self.retained.lock().is_durable(name.lane, name.sequence);
        }
        Some(answer)
    }

    /// Something has failed on a connection to Redis.
    pub(super) fn give_up(&self, number: u64) {
        self.failed.send_modify(|failed| *failed = number.max(*failed));
    }
}
