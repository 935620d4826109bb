//! A journal in a Redis Cluster: each incarnation's on one of its primaries.

use smartcart_domain::failure::{Effect, Failure};
use smartcart_domain::{entry::Entry, id::IncarnationId};
use smartcart_engine::journal::{AppendError, Journal as _, JournalPlacement as _};
use smartcart_persistence::{
    failover::FailoverJournal,
    redis::{RedisJournal, Settings},
};

use super::{cluster::Cluster, fleet::settled, server::RedisServer};
use crate::backend::{Postgres, journal_at};
use smartcart_testkit::conformance::samples::entry;

#[tokio::test]
async fn journals_are_spread_over_the_primaries_and_found_again() {
    let cluster = Cluster::new().await;
    let journal = RedisJournal::new(journal_at(cluster.address()));
    for incarnation in 1..=12 {
        journal.append(&entry(incarnation, 0, 1)).await.unwrap();
    }
    for primary in &cluster.primaries {
        let keys = primary.ask(&["DBSIZE"]).await.unwrap();
        assert!(matches!(keys, redis::Value::Int(2..)), "of twelve journals it has {keys:?} keys");
    }
    // Over connections of its own.
    let known = RedisJournal::new(journal_at(cluster.primaries[2].address())).incarnations().await.unwrap();
    assert_eq!(known.len(), 12);
}

/// Its primary dies with all that it has; a replica takes its slots.
#[tokio::test]
async fn when_its_primary_fails_over_the_journal_goes_on_at_the_replica() {
    let mut cluster = Cluster::new().await;
    let me = IncarnationId(1);
    let primary = primary_of(&cluster, me).await;
    let replica = cluster.replica_of(&cluster.primaries[primary]).await;
    let postgres = Postgres::new().await;
    let opened = postgres.as_pod(1).await;
    // By the name of one that lives on.
    let settings = Settings::at(cluster.primaries[(primary + 1) % 3].address());
    let one = FailoverJournal::open(&settings, opened.journal.clone(), me).await.unwrap();
    one.joined();
    for sequence in 1..=5 {
        settled(&one, &entry(1, 0, sequence)).await.unwrap();
    }
    cluster.primaries[primary].kill();
    replica.ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await.unwrap();
    for sequence in 6..=8 {
        settled(&one, &entry(1, 0, sequence)).await.unwrap();
    }
    for _ in 0..200 {
        if one.location().starts_with("Redis") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(one.location().starts_with("Redis: single"), "{}", one.location());
    settled(&one, &entry(1, 0, 9)).await.unwrap();

    let other = postgres.shared.journal.clone();
    let other = FailoverJournal::open(&settings, other, IncarnationId(2)).await.unwrap();
    other.seal(me).await.unwrap();
    let found: Vec<Entry> = other.read(me, entry(1, 0, 1).lane, 0, 100).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), (1..=9).collect::<Vec<u64>>());
    let refused = settled(&one, &entry(1, 0, 10)).await;
    assert!(
        matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{refused:?}"
    );
}

/// Which primary has an incarnation's journal.
async fn primary_of(cluster: &Cluster, incarnation: IncarnationId) -> usize {
    let key = format!("smartcart:{{{incarnation}}}:state");
    let slot = cluster.primaries[0].ask(&["CLUSTER", "KEYSLOT", &key]).await.unwrap();
    let slot: u16 = redis::from_redis_value(slot).unwrap();
    usize::from(slot > 5460) + usize::from(slot > 10_922)
}

#[tokio::test]
async fn a_cluster_with_a_hole_is_unreachable() {
    let nothing_assigned = RedisServer::with_more(|_, bus| {
        ["--cluster-enabled", "yes", "--cluster-port"]
            .map(str::to_owned)
            .into_iter()
            .chain([bus.to_string()])
            .collect()
    })
    .await;
    let error = journal_at(nothing_assigned.address()).durability().await.unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("no primary serves slot"), "{error}");
}
