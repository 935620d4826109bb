//! Two pods, 1 and 2, each with its journal, on one Redis and one PostgreSQL.

use smartcart_domain::failure::{Effect, Failure};
use std::time::{Duration, Instant};

use smartcart_domain::{
    entry::{Entry, Lane},
    id::IncarnationId,
};
use smartcart_engine::journal::{AppendError, Journal as _, JournalPlacement as _};
use smartcart_persistence::{
    failover::FailoverJournal,
    postgres::{self, Shared},
    redis::{Class, RedisJournal, Settings},
};

use super::{breakable_proxy::BreakableProxy, server::RedisServer};
use crate::backend::{Postgres, journal_at};
use smartcart_testkit::conformance::samples::entry;

pub(super) const ONE: IncarnationId = IncarnationId(1);
pub(super) const LANE: Lane = Lane(0);

pub(super) struct Fleet {
    pub(super) postgres: Postgres,
    pub(super) redis: RedisServer,
    /// Of pod 1.
    pub(super) to_postgres: BreakableProxy,
    pub(super) to_redis: BreakableProxy,
    /// What pod 1 has PostgreSQL open by.
    _opened: Shared,
    pub(super) one: FailoverJournal,
    pub(super) other: FailoverJournal,
}

impl Fleet {
    pub(super) async fn new() -> Self {
        Self::on(RedisServer::new().await, Class::Single).await
    }

    pub(super) async fn on(redis: RedisServer, class: Class) -> Self {
        let postgres = Postgres::new().await;
        let (authority, database) = postgres.address.rsplit_once('/').unwrap();
        let (user, port) = authority.rsplit_once(':').unwrap();
        let to_postgres = BreakableProxy::to(port.parse().unwrap()).await;
        let to_redis = BreakableProxy::to(redis.port).await;
        let address = format!("{user}:{}/{database}", to_postgres.port);
        let opened = postgres::open(&address, Some(ONE)).await.unwrap();
        let url = format!("redis://127.0.0.1:{}", to_redis.port);
        let settings = Settings { class, ..Settings::at(url) };
        let one = FailoverJournal::open(&settings, opened.journal.clone(), ONE).await.unwrap();
        one.joined();
        let other = postgres.shared.journal.clone();
        let settings = Settings { class, ..Settings::at(redis.address()) };
        let other = FailoverJournal::open(&settings, other, IncarnationId(2)).await.unwrap();
        Self { postgres, redis, to_postgres, to_redis, _opened: opened, one, other }
    }

    /// Pod 1 appends, and asks again for as long as the outcome is unknown.
    pub(super) async fn append(&self, sequences: std::ops::RangeInclusive<u64>) {
        for sequence in sequences {
            let known = settled(&self.one, &entry(1, 0, sequence)).await;
            assert!(known.is_ok(), "{sequence}: {known:?}");
        }
    }

    /// What the other pod finds of the dead pod 1.
    pub(super) async fn found(&self) -> Vec<u64> {
        self.other.seal(ONE).await.unwrap();
        let mut found = Vec::new();
        for (lane, last) in self.other.last(ONE).await.unwrap() {
            assert_eq!(lane, LANE);
            while found.last().is_none_or(|after| *after < last) {
                let after = found.last().copied().unwrap_or(0);
                let page = self.other.read(ONE, LANE, after, 3).await.unwrap();
                assert!(!page.is_empty(), "nothing after {after}, of {last}");
                for read in page {
                    assert_eq!(read, entry(1, 0, read.sequence));
                    found.push(read.sequence);
                }
            }
        }
        found
    }

    /// What Redis has of pod 1.
    pub(super) async fn in_redis(&self) -> Vec<u64> {
        let bare = RedisJournal::new(journal_at(self.redis.address()));
        numbers(bare.read(ONE, LANE, 0, 100).await.unwrap())
    }

    pub(super) async fn in_postgres(&self) -> Vec<u64> {
        numbers(self.postgres.shared.journal.read(ONE, LANE, 0, 100).await.unwrap())
    }

    /// What pod 1's row says.
    pub(super) async fn row(&self) -> Option<String> {
        let mut connection = self.postgres.raw().await;
        sqlx::query_scalar("SELECT journal FROM member WHERE incarnation = $1")
            .bind(1_u128.to_be_bytes().to_vec())
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }

    pub(super) async fn until_row_says(&self, location: &str) {
        for _ in 0..1_200 {
            if self.row().await.as_deref() == Some(location) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the row says {:?}", self.row().await);
    }
}

fn numbers(entries: Vec<Entry>) -> Vec<u64> {
    entries.into_iter().map(|entry| entry.sequence).collect()
}

/// As the committer does: an unknown outcome is asked again.
pub(super) async fn settled(journal: &FailoverJournal, entry: &Entry) -> Result<(), AppendError> {
    let began = Instant::now();
    loop {
        match journal.append(entry).await {
            Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, reason })) => {
                assert!(began.elapsed() <= Duration::from_secs(60), "{reason}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            known => return known,
        }
    }
}
