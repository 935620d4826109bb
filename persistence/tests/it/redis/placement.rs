//! Redis down, PostgreSQL down, both down: where the journal goes, and what its row says.

use smartcart_domain::failure::{Effect, Failure};
use std::time::{Duration, Instant};

use smartcart_domain::id::IncarnationId;
use smartcart_engine::journal::{AppendError, Journal as _, JournalError, JournalPlacement as _};

use super::fleet::{Fleet, LANE, ONE, settled};
use smartcart_testkit::conformance::{backend::Fleet as _, samples::entry};

#[tokio::test]
async fn entries_are_in_redis_and_the_row_says_so() {
    let fleet = Fleet::new().await;
    // Before there is anything to write.
    fleet.until_row_says("redis").await;
    fleet.append(1..=3).await;
    assert_eq!(fleet.in_postgres().await, [0; 0]);
    assert!(fleet.one.retained_bytes() > 0);
    fleet.one.trim(ONE, LANE, 3).await.unwrap();
    assert_eq!(fleet.one.retained_bytes(), 0);
    assert_eq!(fleet.in_redis().await, [0; 0]);
}

#[tokio::test]
async fn without_redis_the_journal_goes_on_in_postgres_with_all_that_the_tables_have_not_got() {
    let mut fleet = Fleet::new().await;
    fleet.append(1..=5).await;
    fleet.one.trim(ONE, LANE, 2).await.unwrap();
    fleet.redis.kill();
    fleet.append(6..=7).await;
    assert_eq!(fleet.row().await.as_deref(), Some("postgres"));
    assert_eq!(fleet.in_postgres().await, [3, 4, 5, 6, 7]);
    // Whoever finishes it need not have Redis.
    assert_eq!(fleet.found().await, [3, 4, 5, 6, 7]);
    fleet.other.remove(ONE).await.unwrap();
    let refused = settled(&fleet.one, &entry(1, 0, 8)).await;
    assert!(
        matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn back_in_redis_it_has_all_again() {
    let mut fleet = Fleet::new().await;
    fleet.append(1..=5).await;
    fleet.redis.kill();
    fleet.append(6..=8).await;
    fleet.one.trim(ONE, LANE, 7).await.unwrap();
    assert_eq!(fleet.in_postgres().await, [8]);
    fleet.redis.start().await;
    fleet.until_row_says("redis").await;
    fleet.append(9..=10).await;
    assert_eq!(fleet.in_redis().await, [8, 9, 10]);
    assert_eq!(fleet.in_postgres().await, [8]);
    // And once more, with what is in PostgreSQL from before.
    fleet.redis.kill();
    fleet.append(11..=11).await;
    assert_eq!(fleet.in_postgres().await, [8, 9, 10, 11]);
    fleet.redis.start().await;
    fleet.until_row_says("redis").await;
    assert_eq!(fleet.found().await, [8, 9, 10, 11]);
}

#[tokio::test]
async fn a_frozen_redis_counts_as_down() {
    let fleet = Fleet::new().await;
    fleet.append(1..=2).await;
    fleet.redis.freeze(true);
    fleet.append(3..=3).await;
    assert_eq!(fleet.row().await.as_deref(), Some("postgres"));
    fleet.redis.freeze(false);
    fleet.until_row_says("redis").await;
    fleet.append(4..=4).await;
    assert_eq!(fleet.found().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn without_postgres_appends_go_on_but_not_over_a_new_connection() {
    let fleet = Fleet::new().await;
    fleet.append(1..=2).await;
    fleet.to_postgres.set_open(false);
    fleet.append(3..=5).await;
    assert!(fleet.one.confirms_ownership(ONE).await);
    fleet.to_redis.break_connections().await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let unknown = fleet.one.append(&entry(1, 0, 6)).await;
        assert!(
            matches!(unknown, Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, .. }))),
            "{unknown:?}"
        );
        assert!(!fleet.one.confirms_ownership(ONE).await);
    }
    fleet.to_postgres.set_open(true);
    fleet.append(6..=7).await;
    assert_eq!(fleet.found().await, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn with_both_down_an_append_fails_soon() {
    let mut fleet = Fleet::new().await;
    fleet.append(1..=2).await;
    fleet.to_postgres.set_open(false);
    fleet.redis.kill();
    for _ in 0..3 {
        let began = Instant::now();
        let unknown = fleet.one.append(&entry(1, 0, 3)).await;
        assert!(
            matches!(unknown, Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, .. }))),
            "{unknown:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
    fleet.to_postgres.set_open(true);
    fleet.append(3..=4).await;
    assert_eq!(fleet.in_postgres().await, [1, 2, 3, 4]);
}

/// Its last entries are in a Redis that does not answer: whoever finishes it waits, and forgets nothing meanwhile.
#[tokio::test]
async fn a_journal_in_redis_is_finished_when_redis_answers() {
    let mut fleet = Fleet::new().await;
    fleet.append(1..=3).await;
    fleet.redis.kill();
    let refused = fleet.other.seal(ONE).await;
    assert!(matches!(refused, Err(JournalError::Failed(_))), "{refused:?}");
    fleet.redis.start().await;
    assert_eq!(fleet.found().await, [1, 2, 3]);
}

/// A pod that was not given the Redis, or of a version that knows none.
#[tokio::test]
async fn a_pod_without_the_redis_cannot_finish_what_is_there() {
    let fleet = Fleet::new().await;
    fleet.append(1..=3).await;
    let bare = &fleet.postgres.shared.journal;
    let refused = bare.seal(ONE).await;
    assert!(
        matches!(refused, Err(JournalError::Failed(Failure { effect: Effect::NotApplied, .. }))),
        "{refused:?}"
    );
    let registry = fleet.postgres.registry();
    let right = registry.take_over(ONE).await.unwrap().unwrap();
    let refused = right.finish(&[]).await;
    assert!(refused.is_err());
    assert_eq!(fleet.found().await, [1, 2, 3]);
    fleet.other.remove(ONE).await.unwrap();
    registry.take_over(ONE).await.unwrap().unwrap().finish(&[]).await.unwrap();
}

#[tokio::test]
async fn a_pod_that_has_gone_leaves_nothing_in_redis() {
    let fleet = Fleet::new().await;
    fleet.append(1..=3).await;
    fleet.one.trim(ONE, LANE, 3).await.unwrap();
    fleet.one.close().await;
    assert_eq!(fleet.other.incarnations().await.unwrap(), [(ONE, vec![(LANE, 3)])]);
    fleet.postgres.registry().deregister(ONE).await.unwrap();
    fleet.one.close().await;
    assert_eq!(fleet.other.incarnations().await.unwrap(), []);
}

#[tokio::test]
async fn a_pod_appends_for_itself_only() {
    let fleet = Fleet::new().await;
    let refused = fleet.one.append(&entry(2, 0, 1)).await;
    assert!(matches!(refused, Err(AppendError::Unwritable(_))), "{refused:?}");
    assert!(!fleet.one.confirms_ownership(IncarnationId(2)).await);
}

/// Memory was short: what only Redis has cannot be written again, so the tables come first.
#[tokio::test]
async fn without_its_copies_the_journal_begins_nowhere_before_the_tables_have_them() {
    for redis_comes_back in [true, false] {
        let mut fleet = Fleet::new().await;
        fleet.append(1..=5).await;
        fleet.one.drop_copies();
        assert_eq!(fleet.one.retained_bytes(), 0);
        fleet.append(6..=6).await;
        if redis_comes_back {
            fleet.to_redis.break_connections().await;
        } else {
            fleet.redis.kill();
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            let unknown = fleet.one.append(&entry(1, 0, 7)).await;
            assert!(
                matches!(unknown, Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, .. }))),
                "{unknown:?}"
            );
        }
        fleet.one.trim(ONE, LANE, 5).await.unwrap();
        fleet.append(7..=8).await;
        let row = if redis_comes_back { "redis" } else { "postgres" };
        assert_eq!(fleet.row().await.as_deref(), Some(row));
        assert_eq!(fleet.found().await, [6, 7, 8]);
    }
}
