//! What every registry does: shards change hands one at a time, and only to the living.

use std::{collections::HashSet, time::Duration};

use smartcart_domain::{
    entry::{Lane, Watermark},
    failure::{Effect, Failure},
    id::IncarnationId,
    shard::ShardId,
    time::ShopTime,
};
use smartcart_engine::{
    journal::AppendError,
    registry::{Epoch, MemberState, Registry, RegistryError, ShardRow},
    store::{StoreError, TableBatch},
};

use super::{
    backend::{Fleet, member},
    journal::append,
    samples::{entry, product},
};

const ONE: IncarnationId = IncarnationId(1);
const TWO: IncarnationId = IncarnationId(2);
/// Its fence is apart from those of 1 and 2.
const FAR: IncarnationId = IncarnationId(7 << 100);

fn all() -> Vec<ShardId> {
    (0..1024).map(ShardId).collect()
}

fn owned(rows: &[ShardRow], by: IncarnationId) -> Vec<u16> {
    rows.iter().filter(|row| row.owner == Some(by)).map(|row| row.shard.0).collect()
}

async fn one_has_three_shards(registry: &dyn Registry) -> Vec<(ShardId, Epoch)> {
    let mine = registry.claim(ONE, &[ShardId(3), ShardId(4), ShardId(5)]).await.unwrap();
    mine.iter().map(|row| (row.shard, row.epoch)).collect()
}

pub async fn a_member_joins_and_beats(fleet: impl Fleet) {
    let registry = fleet.registry();
    registry.join(&member(FAR.0), ShopTime(700)).await.unwrap();
    let first = registry.heartbeat(FAR, ShopTime(0)).await.unwrap();
    assert_eq!(first.shop, ShopTime(700));
    // Joined again: nothing is reset.
    registry.join(&member(FAR.0), ShopTime(0)).await.unwrap();
    let second = registry.heartbeat(FAR, ShopTime(900)).await.unwrap();
    // A heartbeat is seen by the next one at the latest.
    let next = registry.heartbeat(FAR, ShopTime(0)).await.unwrap();
    assert_eq!(next.shop, ShopTime(900));
    let counters = |members: &[smartcart_engine::registry::Member]| {
        members.iter().map(|member| (member.incarnation, member.heartbeat)).collect::<Vec<_>>()
    };
    for (answer, least) in [(&first, 0), (&second, 1), (&next, 2)] {
        let counted = counters(&answer.members);
        assert_eq!(counted[..2], [(ONE, 0), (TWO, 0)]);
        assert!(counted[2] == (FAR, least) || counted[2] == (FAR, least + 1), "{counted:?}");
    }
    assert!(second.members.iter().all(|member| member.state == MemberState::Live && member.owns_shards));
    registry.leave(FAR).await.unwrap();
    registry.leave(FAR).await.unwrap();
    let third = registry.heartbeat(FAR, ShopTime(0)).await.unwrap();
    assert_eq!(third.members[2].state, MemberState::Leaving);
    let rows = registry.shards().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.shard).collect::<Vec<_>>(), all());
    assert!(rows.iter().all(|row| row.owner.is_none() && row.epoch == Epoch(0)));
    let stranger = registry.heartbeat(IncarnationId(99), ShopTime(0)).await;
    assert!(stranger.is_err_and(|error| error.is_fenced()));
}

pub async fn a_shard_is_claimed_once(fleet: impl Fleet) {
    let other = fleet.registry_of(TWO).await;
    let (every, mut backwards) = (all(), all());
    backwards.reverse();
    let (one, two) = tokio::join!(fleet.registry().claim(ONE, &every), other.claim(TWO, &backwards));
    let (one, two) = (one.unwrap(), two.unwrap());
    let shards: HashSet<_> = one.iter().chain(&two).map(|row| row.shard).collect();
    assert_eq!((one.len() + two.len(), shards.len()), (1024, 1024));
    assert!(one.iter().chain(&two).all(|row| row.epoch == Epoch(1)));
    // Again: what is mine is mine, and nothing is raised.
    assert_eq!(fleet.registry().claim(ONE, &every).await.unwrap(), one);
    let rows = fleet.registry().shards().await.unwrap();
    assert_eq!((owned(&rows, ONE).len(), owned(&rows, TWO).len()), (one.len(), two.len()));
}

pub async fn a_shard_is_handed_over_at_its_epoch_and_to_the_living(fleet: impl Fleet) {
    let registry = fleet.registry();
    let mine = one_has_three_shards(registry).await;
    // At another epoch, and what is not mine: nothing.
    let wrong = [(ShardId(3), Epoch(9)), (ShardId(77), Epoch(0))];
    assert_eq!(registry.hand_over(ONE, Some(TWO), &wrong).await.unwrap(), []);

    let went = registry.hand_over(ONE, Some(TWO), &mine[..2]).await.unwrap();
    let row = |shard, owner| ShardRow { shard: ShardId(shard), epoch: Epoch(2), owner };
    assert_eq!(went, [row(3, Some(TWO)), row(4, Some(TWO))]);
    assert_eq!(registry.hand_over(ONE, Some(TWO), &mine[..2]).await.unwrap(), []);

    registry.leave(TWO).await.unwrap();
    assert_eq!(registry.hand_over(ONE, Some(TWO), &mine).await.unwrap(), []);
    let stranger = IncarnationId(99);
    assert_eq!(registry.hand_over(ONE, Some(stranger), &mine).await.unwrap(), []);
    assert_eq!(registry.hand_over(ONE, None, &mine).await.unwrap(), [row(5, None)]);
    // Whoever leaves takes nothing any more.
    assert_eq!(registry.claim(TWO, &[ShardId(5)]).await.unwrap(), []);
}

pub async fn a_member_goes_when_it_owns_nothing(fleet: impl Fleet) {
    let registry = fleet.registry();
    let mine = one_has_three_shards(registry).await;
    append(fleet.journal(), 1, 0, 1..=3).await;
    registry.heartbeat(ONE, ShopTime(5_000)).await.unwrap();
    registry.leave(ONE).await.unwrap();
    let refused = registry.deregister(ONE).await.unwrap_err();
    assert!(
        matches!(&refused, RegistryError::Failed(failure) if failure.reason.contains("3 shards")),
        "{refused}"
    );
    registry.hand_over(ONE, Some(TWO), &mine).await.unwrap();
    registry.deregister(ONE).await.unwrap();
    registry.deregister(ONE).await.unwrap();
    let heartbeat = registry.heartbeat(TWO, ShopTime(0)).await.unwrap();
    let left: Vec<_> = heartbeat.members.iter().map(|member| member.incarnation).collect();
    assert_eq!(left, [TWO]);
    assert_eq!(heartbeat.shop, ShopTime(5_000), "what it told of the time stays");
    assert_eq!(fleet.store().shop_time().await.unwrap(), ShopTime(5_000));
    assert_eq!(fleet.journal().incarnations().await.unwrap(), []);
}

pub async fn whoever_was_declared_dead_can_do_nothing(fleet: impl Fleet) {
    let registry = fleet.registry();
    let mine = one_has_three_shards(registry).await;
    append(fleet.journal(), 1, 0, 1..=2).await;
    assert!(registry.declare_dead(TWO, ONE).await.unwrap());
    assert!(registry.declare_dead(TWO, ONE).await.unwrap(), "again");

    let refused = fleet.journal().append(&entry(1, 0, 3)).await;
    assert!(
        matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{refused:?}"
    );
    let again = fleet.journal().append(&entry(1, 0, 2)).await;
    assert!(matches!(again, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))), "{again:?}");
    let flushed = fleet.store().flush(&TableBatch::default()).await;
    assert!(
        matches!(flushed, Err(StoreError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{flushed:?}"
    );
    let outcomes = [
        registry.heartbeat(ONE, ShopTime(0)).await.err(),
        registry.claim(ONE, &all()).await.err(),
        registry.hand_over(ONE, Some(TWO), &mine).await.err(),
        registry.leave(ONE).await.err(),
        registry.deregister(ONE).await.err(),
        registry.declare_dead(ONE, TWO).await.err(),
    ];
    for outcome in outcomes {
        assert!(outcome.as_ref().is_some_and(RegistryError::is_fenced), "{outcome:?}");
    }
    // What it had is its own until somebody has finished its journal.
    assert_eq!(owned(&registry.shards().await.unwrap(), ONE), [3, 4, 5]);
    assert_eq!(registry.claim(TWO, &[ShardId(3)]).await.unwrap(), []);
    let dead = registry.heartbeat(TWO, ShopTime(0)).await.unwrap().members[0].clone();
    assert_eq!((dead.incarnation, dead.state), (ONE, MemberState::Dead));
}

pub async fn one_takes_over_and_the_living_get_the_shards(fleet: impl Fleet) {
    let registry = fleet.registry();
    registry.join(&member(FAR.0), ShopTime(0)).await.unwrap();
    one_has_three_shards(registry).await;
    append(fleet.journal(), 1, 0, 1..=3).await;
    let watermark = Watermark { incarnation: ONE, lane: Lane(0), sequence: 3 };
    fleet.store().flush(&TableBatch { watermarks: vec![watermark], ..TableBatch::default() }).await.unwrap();
    assert!(registry.take_over(ONE).await.unwrap().is_none(), "it is alive");
    assert!(registry.declare_dead(FAR, ONE).await.unwrap());

    let right = registry.take_over(ONE).await.unwrap().unwrap();
    let other = fleet.registry_of(TWO).await;
    assert!(other.take_over(ONE).await.unwrap().is_none(), "one at a time");
    drop(right);
    // The connection's end is noticed soon.
    let right = loop {
        match other.take_over(ONE).await.unwrap() {
            Some(right) => break right,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    registry.leave(TWO).await.unwrap();
    right.finish(&[(ShardId(3), FAR), (ShardId(4), TWO)]).await.unwrap();
    let rows = registry.shards().await.unwrap();
    assert_eq!(owned(&rows, FAR), [3]);
    assert_eq!((rows[4].owner, rows[5].owner), (None, None), "one is leaving, one was not reassigned");
    assert!(rows[3..=5].iter().all(|row| row.epoch == Epoch(2)));
    assert_eq!(fleet.journal().incarnations().await.unwrap(), []);
    assert_eq!(fleet.store().watermarks(ONE).await.unwrap(), []);
    assert!(registry.take_over(ONE).await.unwrap().is_none(), "it is gone");
    assert!(!registry.declare_dead(FAR, ONE).await.unwrap());
}

pub async fn changes_are_told(fleet: impl Fleet) {
    let other = fleet.registry_of(TWO).await;
    // Told once at the beginning: something may have been missed before.
    other.changed().await;
    for change in ["a member", "a shard", "the catalogue"] {
        let told = tokio::spawn({
            let registry = other.clone();
            async move { registry.changed().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        match change {
            "a member" => fleet.registry().join(&member(FAR.0), ShopTime(0)).await.unwrap(),
            "a shard" => drop(fleet.registry().claim(ONE, &[ShardId(1)]).await.unwrap()),
            _ => drop(fleet.store().put_product(&product("heart", &["85123A"]), None, None).await.unwrap()),
        }
        tokio::time::timeout(Duration::from_secs(60), told).await.expect(change).unwrap();
    }
    let heartbeat = fleet.registry().heartbeat(ONE, ShopTime(0)).await.unwrap();
    assert_eq!(heartbeat.catalog_generation, 1);
}
