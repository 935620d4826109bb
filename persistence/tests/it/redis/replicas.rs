//! A Redis whose replicas have each entry on their disks before it is acknowledged.

use smartcart_domain::failure::{Effect, Failure};
use smartcart_engine::journal::{AppendError, Journal as _};
use smartcart_persistence::{
    error::RedisError,
    redis::{Class, RedisJournal, Server, Settings},
};

use super::{fleet::Fleet, server::RedisServer};
use crate::backend::journal_at;
use smartcart_testkit::conformance::samples::entry;

const REPLICA: Class = Class::Replica { confirming: 1 };

async fn pair() -> (RedisServer, RedisServer) {
    let (primary, replica) = (RedisServer::new_that_waits().await, RedisServer::new_that_waits().await);
    replica.follow(&primary).await;
    (primary, replica)
}

fn confirmed_at(server: &RedisServer) -> Server {
    Server::new(&Settings { class: REPLICA, ..Settings::at(server.address()) }).unwrap()
}

#[tokio::test]
async fn nothing_is_acknowledged_that_only_the_primary_has() {
    let (primary, replica) = pair().await;
    let journal = RedisJournal::new(confirmed_at(&primary));
    for sequence in 1..=20 {
        journal.append(&entry(1, 0, sequence)).await.unwrap();
    }
    let found = confirmed_at(&primary).durability().await.unwrap().to_string();
    assert!(found.starts_with("replica, 1 of 1 confirm each entry"), "{found}");
    replica.freeze(true);
    let unknown = journal.append(&entry(1, 0, 21)).await;
    assert!(
        matches!(unknown, Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, .. }))),
        "{unknown:?}"
    );
    assert!(matches!(confirmed_at(&primary).durability().await, Err(RedisError::Unconfirmed { .. })));
    replica.freeze(false);
    journal.append(&entry(1, 0, 21)).await.unwrap();
    // The primary is gone with its disk.
    drop(primary);
    replica.promote().await;
    let there = RedisJournal::new(journal_at(replica.address()));
    assert_eq!(there.read(entry(1, 0, 1).incarnation, entry(1, 0, 1).lane, 0, 100).await.unwrap().len(), 21);
}

/// It is there already, sent over a connection that broke: whoever asks again waits for the replicas all the same.
#[tokio::test]
async fn an_entry_that_is_there_already_is_waited_for_too() {
    let (primary, replica) = pair().await;
    RedisJournal::new(confirmed_at(&primary)).append(&entry(1, 0, 1)).await.unwrap();
    replica.freeze(true);
    let client = redis::Client::open(primary.address()).unwrap();
    let append = |sequence: u64| {
        let mut call = redis::cmd("FCALL");
        call.arg("smartcart_2_append").arg(2).arg("smartcart:{x}:state").arg("smartcart:{x}:lane:0");
        call.arg(0).arg(sequence).arg("entry");
        call
    };
    for _ in 0..2 {
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut both = redis::pipe();
        both.add_command(append(1)).cmd("WAITAOF").arg(1).arg(1).arg(200);
        let (answer, counts): (i64, (u16, u16)) = both.query_async(&mut connection).await.unwrap();
        assert_eq!((answer, counts), (0, (1, 0)));
    }
    replica.freeze(false);
}

#[tokio::test]
async fn without_its_replicas_the_journal_goes_over_to_postgres_and_comes_back() {
    let (primary, replica) = pair().await;
    let fleet = Fleet::on(primary, REPLICA).await;
    fleet.append(1..=5).await;
    assert_eq!(fleet.row().await.as_deref(), Some("redis"));
    replica.freeze(true);
    fleet.append(6..=8).await;
    assert_eq!(fleet.row().await.as_deref(), Some("postgres"));
    replica.freeze(false);
    fleet.until_row_says("redis").await;
    fleet.append(9..=10).await;
    let expected: Vec<u64> = (1..=10).collect();
    assert_eq!(fleet.found().await, expected);
}

/// The pod and the primary die together: the stated loss of a single server, and none here.
#[tokio::test]
async fn the_primary_and_the_pod_die_together() {
    let (primary, replica) = pair().await;
    let mut fleet = Fleet::on(primary, REPLICA).await;
    fleet.append(1..=30).await;
    fleet.redis.kill();
    replica.promote().await;
    fleet.redis = replica;
    let there = RedisJournal::new(journal_at(fleet.redis.address()));
    assert_eq!(there.read(super::fleet::ONE, super::fleet::LANE, 0, 100).await.unwrap().len(), 30);
}

#[tokio::test]
async fn who_cannot_wait_or_has_nobody_is_refused() {
    let old = RedisServer::new().await;
    let refused = confirmed_at(&old).durability().await.unwrap_err();
    // The distribution's may be new enough: then it has no replica.
    match &refused {
        RedisError::TooOld { needed: (7, 2), .. } => assert!(!refused.may_pass()),
        other => assert!(matches!(other, RedisError::Unconfirmed { needed: 1 }), "{other}"),
    }
    let alone = RedisServer::new_that_waits().await;
    let refused = confirmed_at(&alone).durability().await.unwrap_err();
    assert!(matches!(refused, RedisError::Unconfirmed { needed: 1 }), "{refused}");
    assert!(refused.may_pass());
}
