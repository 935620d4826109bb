//! A Redis that comes back without its last entries, without a seal, or with nothing.

use smartcart_domain::failure::{Effect, Failure};
use std::time::Instant;

use smartcart_engine::{
    journal::{AppendError, Journal as _, JournalPlacement as _},
    limits::READS_WITHOUT_ASKING,
};

use super::fleet::{Fleet, LANE, ONE, settled};
use smartcart_testkit::conformance::samples::entry;

#[tokio::test]
async fn what_redis_forgot_is_written_again_before_the_next_answer() {
    let mut fleet = Fleet::new().await;
    fleet.append(1..=5).await;
    let old = fleet.redis.copy();
    fleet.append(6..=10).await;
    fleet.one.trim(ONE, LANE, 3).await.unwrap();
    fleet.redis.kill();
    fleet.redis.start_with(Some(old)).await;
    assert_eq!(fleet.in_redis().await, [1, 2, 3, 4, 5]);
    fleet.append(11..=11).await;
    assert_eq!(fleet.in_redis().await, [4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(fleet.found().await, [4, 5, 6, 7, 8, 9, 10, 11]);
}

/// It is behind even what the tables have.
#[tokio::test]
async fn a_redis_that_forgot_everything_begins_after_what_the_tables_have() {
    let mut fleet = Fleet::new().await;
    fleet.append(1..=10).await;
    fleet.one.trim(ONE, LANE, 8).await.unwrap();
    fleet.redis.kill();
    fleet.redis.start_with(None).await;
    fleet.append(11..=12).await;
    assert_eq!(fleet.in_redis().await, [9, 10, 11, 12]);
    fleet.one.trim(ONE, LANE, 12).await.unwrap();
    fleet.redis.kill();
    fleet.redis.start_with(None).await;
    fleet.append(13..=13).await;
    assert_eq!(fleet.found().await, [13]);
}

/// Declared dead while it slept; by the time it wakes Redis has forgotten its seal.
#[tokio::test]
async fn a_zombie_whose_seal_was_forgotten_acknowledges_nothing() {
    let mut fleet = Fleet::new().await;
    fleet.append(1..=5).await;
    let unsealed = fleet.redis.copy();
    assert_eq!(fleet.found().await, [1, 2, 3, 4, 5]);
    fleet.redis.kill();
    fleet.redis.start_with(Some(unsealed)).await;
    for lane in [0, 1] {
        let sequence = if lane == 0 { 6 } else { 1 };
        let refused = settled(&fleet.one, &entry(1, lane, sequence)).await;
        assert!(
            matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
            "lane {lane}: {refused:?}"
        );
    }
    assert!(!fleet.one.confirms_ownership(ONE).await);
}

/// The seal it was not there to see, on the connection that it has.
#[tokio::test]
async fn a_zombie_meets_its_seal() {
    let fleet = Fleet::new().await;
    fleet.append(1..=2).await;
    assert!(fleet.one.confirms_ownership(ONE).await);
    let began = Instant::now();
    fleet.other.seal(ONE).await.unwrap();
    assert!(began.elapsed() >= READS_WITHOUT_ASKING, "its readers go by that answer for so long");
    assert_eq!(fleet.found().await, [1, 2]);
    assert!(!fleet.one.confirms_ownership(ONE).await);
    // Also in a lane that has no entry, and when nothing of it is left.
    fleet.other.remove(ONE).await.unwrap();
    for (lane, sequence) in [(1, 1), (0, 3)] {
        let refused = settled(&fleet.one, &entry(1, lane, sequence)).await;
        assert!(
            matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
            "lane {lane}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn connections_that_break_under_way_make_no_duplicate_and_no_gap() {
    let fleet = Fleet::new().await;
    let breaking = async {
        for _ in 0..20 {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            fleet.to_redis.break_connections().await;
        }
    };
    let appending = fleet.append(1..=300);
    tokio::join!(breaking, appending);
    let expected: Vec<u64> = (1..=300).collect();
    assert_eq!(fleet.found().await, expected);
}
