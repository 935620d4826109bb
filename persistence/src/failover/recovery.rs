//! Journals of the dead: what is in Redis and what is in PostgreSQL, as one.

use std::collections::BTreeMap;

use smartcart_domain::{
    entry::{Entry, Lane},
    id::IncarnationId,
};
use smartcart_engine::{
    journal::{Journal as _, JournalError},
    limits::READS_WITHOUT_ASKING,
};

use super::target::Shared;
use crate::postgres::JournalLocation;

type Known = Vec<(IncarnationId, Vec<(Lane, u64)>)>;

impl Shared {
    /// In PostgreSQL first: from then on a connection to Redis that is new to the dead one acknowledges nothing. Then in Redis,
    /// for the connection that it has. One that had gone over to PostgreSQL has none. Returns when its readers do not go by
    /// an earlier answer any more.
    pub(super) async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.postgres.fence(incarnation).await?;
        if self.is_in_redis(incarnation).await? {
            self.redis.seal(incarnation).await?;
            tokio::time::sleep(READS_WITHOUT_ASKING).await;
        }
        Ok(())
    }

    async fn is_in_redis(&self, incarnation: IncarnationId) -> Result<bool, JournalError> {
        Ok(self.postgres.location_of(incarnation).await? == Some(JournalLocation::Redis))
    }

    /// The union, by sequence. What is in both must be the same.
    pub(super) async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let here = self.postgres.read(incarnation, lane, after, limit).await?;
        if !self.is_in_redis(incarnation).await? {
            return Ok(here);
        }
        let there = self.redis.read(incarnation, lane, after, limit).await?;
        let mut union: BTreeMap<u64, Entry> = here.into_iter().map(|entry| (entry.sequence, entry)).collect();
        for entry in there {
            let sequence = entry.sequence;
            if *union.entry(sequence).or_insert_with(|| entry.clone()) != entry {
                let reason = "it is another one in Redis than in PostgreSQL".to_owned();
                return Err(JournalError::Corrupt { incarnation, lane: lane.0, sequence, reason });
            }
        }
        Ok(union.into_values().take(limit).collect())
    }

    pub(super) async fn last(&self, incarnation: IncarnationId) -> Result<Vec<(Lane, u64)>, JournalError> {
        let mut last: BTreeMap<Lane, u64> = self.postgres.last(incarnation).await?.into_iter().collect();
        if self.is_in_redis(incarnation).await? {
            further(&mut last, self.redis.last(incarnation).await?);
        }
        Ok(last.into_iter().collect())
    }

    pub(super) async fn incarnations(&self) -> Result<Known, JournalError> {
        let mut known: BTreeMap<IncarnationId, BTreeMap<Lane, u64>> = BTreeMap::new();
        let all = self.postgres.incarnations().await?.into_iter().chain(self.redis.incarnations().await?);
        for (incarnation, lanes) in all {
            further(known.entry(incarnation).or_default(), lanes);
        }
        Ok(known.into_iter().map(|(incarnation, lanes)| (incarnation, lanes.into_iter().collect())).collect())
    }

    pub(super) async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        if self.is_in_redis(incarnation).await? {
            self.redis.remove(incarnation).await?;
            self.postgres.finished(incarnation).await?;
        }
        self.postgres.remove(incarnation).await
    }
}

fn further(known: &mut BTreeMap<Lane, u64>, lanes: Vec<(Lane, u64)>) {
    for (lane, last) in lanes {
        let known = known.entry(lane).or_default();
        *known = last.max(*known);
    }
}
