//! The bare journal: everybody's entries, over a connection that is made again when it breaks.

use std::collections::HashMap;

use async_trait::async_trait;
use smartcart_domain::{
    entry::{Entry, Lane},
    failure::{Effect, Failure},
    id::IncarnationId,
};
use smartcart_engine::journal::{AppendError, Journal, JournalError};
use tokio::sync::Mutex;

use super::{
    link::Link,
    server::{FirstConnection, Node, Server},
};
use crate::error::RedisError;
use smartcart_wire::{EntryName, decode_entry, encode_entry};

/// Appends that overlap on one connection. A Redis does one after the other, each round of its loop with an fsync: several
/// only part what one would write together.
pub(crate) const LANES: u16 = 1;

#[derive(Debug)]
pub struct RedisJournal {
    server: Server,
    links: Mutex<Links>,
}

/// One connection to each server that was needed so far.
#[derive(Debug, Default)]
struct Links {
    first: Option<FirstConnection>,
    /// Of a cluster.
    primaries: HashMap<Node, Link>,
}

impl Links {
    async fn first(&mut self, server: &Server) -> Result<FirstConnection, RedisError> {
        if let Some(first) = &self.first {
            return Ok(first.clone());
        }
        Ok(self.first.insert(server.first_connection().await?).clone())
    }

    async fn to(&mut self, server: &Server, node: Node) -> Result<Link, RedisError> {
        if let Some(link) = self.primaries.get(&node) {
            return Ok(link.clone());
        }
        let (link, _) = server.connect_to(&node).await?;
        self.primaries.insert(node, link.clone());
        Ok(link)
    }
}

impl RedisJournal {
    pub fn new(server: Server) -> Self {
        Self { server, links: Mutex::default() }
    }

    /// To the one that keeps an incarnation's journal.
    async fn link(&self, incarnation: IncarnationId) -> Result<Link, RedisError> {
        let mut links = self.links.lock().await;
        match links.first(&self.server).await?.into_parts() {
            (link, Some(_)) => Ok(link),
            (any, None) => {
                let node = self.server.primary_of(&any, incarnation).await?;
                links.to(&self.server, node).await
            }
        }
    }

    /// To every one that keeps journals.
    async fn every_link(&self) -> Result<Vec<Link>, RedisError> {
        let mut links = self.links.lock().await;
        match links.first(&self.server).await?.into_parts() {
            (link, Some(_)) => Ok(vec![link]),
            (any, None) => {
                let mut every = Vec::new();
                for node in self.server.primaries(&any).await? {
                    every.push(links.to(&self.server, node).await?);
                }
                Ok(every)
            }
        }
    }

    /// A connection on which something failed is not used again.
    async fn given_up(&self) {
        *self.links.lock().await = Links::default();
    }

    /// What may be repeated: once more over new connections, when those that were there have broken meanwhile.
    async fn again_if_broken<T, W>(&self, work: impl Fn() -> W) -> Result<T, JournalError>
    where
        W: Future<Output = Result<T, Failure>>,
    {
        let again = self.links.lock().await.first.is_some();
        let Failure { effect, reason } = match work().await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        self.given_up().await;
        if !again {
            return Err(Failure { effect, reason }.into());
        }
        match work().await {
            Ok(done) => Ok(done),
            Err(second) => {
                self.given_up().await;
                // What the first attempt may have done stays unknown, whatever became of the second.
                let effect = if effect == Effect::Indeterminate { effect } else { second.effect };
                Err(Failure { effect, ..second }.into())
            }
        }
    }

    async fn on<T, W>(&self, incarnation: IncarnationId, work: impl Fn(Link) -> W) -> Result<T, JournalError>
    where
        W: Future<Output = redis::RedisResult<T>>,
    {
        let work = &work;
        self.again_if_broken(|| async move {
            let link = self.link(incarnation).await?;
            work(link).await.map_err(|error| Failure::indeterminate(format!("Redis: {error}")))
        })
        .await
    }

    /// Each lane's last sequence, of one incarnation.
    async fn last_of(&self, incarnation: IncarnationId) -> Result<Vec<(Lane, u64)>, JournalError> {
        self.on(incarnation, move |link| async move { link.lanes(incarnation).await }).await
    }
}

#[async_trait]
impl Journal for RedisJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        // Without a connection too: an earlier attempt at the same entry may be on its way still.
        let link =
            self.link(entry.incarnation).await.map_err(|error| Failure::indeterminate(error.to_string()))?;
        let answer = link.append(EntryName::of(entry), &encode_entry(entry)).await;
        if let Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, .. })) = answer {
            self.given_up().await;
        }
        answer
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.on(incarnation, move |link| async move { link.seal(incarnation).await }).await
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let (from, sequences, bodies) = self
            .on(incarnation, move |link| async move { link.read(incarnation, lane, after, limit).await })
            .await?;
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
        self.on(incarnation, move |link| async move { link.trim(incarnation, lane, through).await }).await
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        let mut known = Vec::new();
        let everywhere = || async {
            let mut found = Vec::new();
            for link in self.every_link().await? {
                let there = link.incarnations().await;
                found.extend(there.map_err(|error| Failure::not_applied(format!("Redis: {error}")))?);
            }
            found.sort_unstable();
            Ok(found)
        };
        for incarnation in self.again_if_broken(everywhere).await? {
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
        if self.on(incarnation, move |link| async move { link.remove(incarnation).await }).await? {
            return Ok(());
        }
        Err(Failure::not_applied(format!("journal {incarnation} is not sealed")).into())
    }

    fn lanes(&self) -> u16 {
        LANES
    }
}
