//! The bare journal: everybody's entries, over a connection that is made again when it breaks.

use async_trait::async_trait;
use smartcart_engine::{
    commit::{Entry, Lane},
    id::IncarnationId,
    journal::{AppendError, Journal, JournalError},
};
use tokio::sync::Mutex;

use super::{Link, Server};
use crate::{
    error::RedisError,
    record::{EntryName, decode_entry, encode_entry},
};

/// Appends that overlap on one connection. A Redis does one after the other, each round of its loop with an fsync: several
/// only part what one would write together.
pub(crate) const LANES: u16 = 1;

#[derive(Debug)]
pub struct RedisJournal {
    server: Server,
    link: Mutex<Option<Link>>,
}

impl RedisJournal {
    pub const fn new(server: Server) -> Self {
        Self { server, link: Mutex::const_new(None) }
    }

    async fn link(&self) -> Result<Link, RedisError> {
        let mut link = self.link.lock().await;
        if let Some(link) = &*link {
            return Ok(link.clone());
        }
        let (new, _) = self.server.connect().await?;
        *link = Some(new.clone());
        Ok(new)
    }

    /// A connection on which something failed is not used again.
    async fn given_up(&self) {
        *self.link.lock().await = None;
    }

    /// What may be repeated: once more over a new connection, when the one that was there has broken meanwhile.
    async fn on<T, W>(&self, work: impl Fn(Link) -> W) -> Result<T, JournalError>
    where
        W: Future<Output = redis::RedisResult<T>>,
    {
        let unavailable = |why: String| JournalError::Unavailable(format!("Redis: {why}"));
        let mut again = self.link.lock().await.is_some();
        loop {
            let link = self.link().await.map_err(|error| unavailable(error.to_string()))?;
            match work(link).await {
                Ok(done) => return Ok(done),
                Err(error) => {
                    self.given_up().await;
                    if !std::mem::take(&mut again) {
                        return Err(unavailable(error.to_string()));
                    }
                }
            }
        }
    }

    /// Each lane's last sequence, of one incarnation.
    async fn last_of(&self, incarnation: IncarnationId) -> Result<Vec<(Lane, u64)>, JournalError> {
        self.on(move |link| async move { link.lanes(incarnation).await }).await
    }
}

#[async_trait]
impl Journal for RedisJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        let link = self.link().await.map_err(|error| AppendError::Unknown(error.to_string()))?;
        let answer = link.append(EntryName::of(entry), &encode_entry(entry)).await;
        if let Err(AppendError::Unknown(_)) = answer {
            self.given_up().await;
        }
        answer
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.on(move |link| async move { link.seal(incarnation).await }).await
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let (from, sequences, bodies) =
            self.on(move |link| async move { link.read(incarnation, lane, after, limit).await }).await?;
        let mut entries = Vec::with_capacity(bodies.len());
        for (sequence, (found, body)) in (from + 1..).zip(sequences.into_iter().zip(bodies)) {
            let corrupt =
                |reason: String| JournalError::Corrupt { incarnation, lane: lane.0, sequence, reason };
            if found != sequence {
                return Err(corrupt(format!("it is missing; the next one is {found}")));
            }
            let name = EntryName { incarnation, lane, sequence };
            entries.push(decode_entry(&body, name).map_err(|malformed| corrupt(malformed.to_string()))?);
        }
        Ok(entries)
    }

    async fn trim(&self, incarnation: IncarnationId, lane: Lane, through: u64) -> Result<(), JournalError> {
        self.on(move |link| async move { link.trim(incarnation, lane, through).await }).await
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        let mut known = Vec::new();
        for incarnation in self.on(move |link| async move { link.incarnations().await }).await? {
            let lanes = self.last_of(incarnation).await?;
            if !lanes.is_empty() {
                known.push((incarnation, lanes));
            }
        }
        Ok(known)
    }

    async fn last(&self, incarnation: IncarnationId) -> Result<Vec<(Lane, u64)>, JournalError> {
        self.last_of(incarnation).await
    }

    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        if self.on(move |link| async move { link.remove(incarnation).await }).await? {
            return Ok(());
        }
        Err(JournalError::Unavailable(format!("journal {incarnation} is not sealed")))
    }

    fn lanes(&self) -> u16 {
        LANES
    }
}
