//! Shards change hands one at a time, and only to the living.

use std::{collections::HashSet, time::Duration};

use smartcart_domain::{
    entry::{Lane, Watermark},
    id::IncarnationId,
    shard::ShardId,
    time::ShopTime,
};
use smartcart_engine::{
    registry::{Epoch, Registry, RegistryError, ShardRow},
    store::TableBatch,
};
use sqlx::Connection as _;

use crate::{
    backend::{Backend as _, Postgres, Shop as _, member},
    journal_suite::append,
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

#[tokio::test]
async fn a_shard_is_claimed_once() {
    let shop = Postgres::new().await;
    let other = shop.as_pod(2).await;
    let (every, mut backwards) = (all(), all());
    backwards.reverse();
    let (one, two) = tokio::join!(shop.registry().claim(ONE, &every), other.registry.claim(TWO, &backwards));
    let (one, two) = (one.unwrap(), two.unwrap());
    let shards: HashSet<_> = one.iter().chain(&two).map(|row| row.shard).collect();
    assert_eq!((one.len() + two.len(), shards.len()), (1024, 1024));
    assert!(one.iter().chain(&two).all(|row| row.epoch == Epoch(1)));
    // Again: what is mine is mine, and nothing is raised.
    assert_eq!(shop.registry().claim(ONE, &every).await.unwrap(), one);
    let rows = shop.registry().shards().await.unwrap();
    assert_eq!((owned(&rows, ONE).len(), owned(&rows, TWO).len()), (one.len(), two.len()));
}

#[tokio::test]
async fn who_waits_for_a_shard_takes_nothing_from_who_joined_meanwhile() {
    let shop = Postgres::new().await;
    let mut connection = shop.raw().await;
    let mut held = connection.begin().await.unwrap();
    sqlx::query("SELECT FROM shard WHERE id = 0 FOR UPDATE").execute(&mut *held).await.unwrap();
    let registry = shop.shared.registry.clone();
    let waiting = tokio::spawn(async move { registry.claim(ONE, &[ShardId(0), ShardId(1)]).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let registry = shop.registry();
    registry.join(&member(FAR.0), ShopTime(0)).await.unwrap();
    assert_eq!(registry.claim(FAR, &[ShardId(1)]).await.unwrap().len(), 1);
    held.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().len(), 1);
    let rows = registry.shards().await.unwrap();
    assert_eq!((owned(&rows, ONE), owned(&rows, FAR)), (vec![0], vec![1]));
    assert_eq!(rows[1].epoch, Epoch(1));
}

#[tokio::test]
async fn a_shard_is_handed_over_at_its_epoch_and_to_the_living() {
    let shop = Postgres::new().await;
    let registry = shop.registry();
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

#[tokio::test]
async fn a_member_goes_when_it_owns_nothing() {
    let shop = Postgres::new().await;
    let registry = shop.registry();
    let mine = one_has_three_shards(registry).await;
    append(shop.journal(), 1, 0, 1..=3).await;
    registry.beat(ONE, ShopTime(5_000)).await.unwrap();
    registry.leave(ONE).await.unwrap();
    let refused = registry.part(ONE).await.unwrap_err();
    assert!(
        matches!(&refused, RegistryError::Failed(failure) if failure.reason.contains("3 shards")),
        "{refused}"
    );
    registry.hand_over(ONE, Some(TWO), &mine).await.unwrap();
    registry.part(ONE).await.unwrap();
    registry.part(ONE).await.unwrap();
    let beat = registry.beat(TWO, ShopTime(0)).await.unwrap();
    let left: Vec<_> = beat.members.iter().map(|member| member.incarnation).collect();
    assert_eq!(left, [TWO]);
    assert_eq!(beat.shop, ShopTime(5_000), "what it told of the time stays");
    assert_eq!(shop.store().shop_time().await.unwrap(), ShopTime(5_000));
    assert_eq!(shop.journal().incarnations().await.unwrap(), []);
}

#[tokio::test]
async fn one_takes_over_and_the_living_get_the_shards() {
    let shop = Postgres::new().await;
    let registry = shop.registry();
    registry.join(&member(FAR.0), ShopTime(0)).await.unwrap();
    one_has_three_shards(registry).await;
    append(shop.journal(), 1, 0, 1..=3).await;
    let watermark = Watermark { incarnation: ONE, lane: Lane(0), sequence: 3 };
    shop.store().flush(&TableBatch { watermarks: vec![watermark], ..TableBatch::default() }).await.unwrap();
    assert!(registry.take_over(ONE).await.unwrap().is_none(), "it is alive");
    assert!(registry.declare_dead(FAR, ONE).await.unwrap());

    let right = registry.take_over(ONE).await.unwrap().unwrap();
    let other = shop.as_pod(2).await;
    assert!(other.registry.take_over(ONE).await.unwrap().is_none(), "one at a time");
    drop(right);
    // The connection's end is noticed soon.
    let right = loop {
        match other.registry.take_over(ONE).await.unwrap() {
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
    assert_eq!(shop.journal().incarnations().await.unwrap(), []);
    assert_eq!(shop.store().watermarks(ONE).await.unwrap(), []);
    assert!(registry.take_over(ONE).await.unwrap().is_none(), "it is gone");
    assert!(!registry.declare_dead(FAR, ONE).await.unwrap());
}

#[tokio::test]
async fn changes_are_told() {
    let shop = Postgres::new().await;
    let other = shop.as_pod(2).await;
    // Told once at the beginning: something may have been missed before.
    other.registry.changed().await;
    for change in ["a member", "a shard", "the catalogue"] {
        let told = tokio::spawn({
            let registry = other.registry.clone();
            async move { registry.changed().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        match change {
            "a member" => shop.registry().join(&member(FAR.0), ShopTime(0)).await.unwrap(),
            "a shard" => drop(shop.registry().claim(ONE, &[ShardId(1)]).await.unwrap()),
            _ => {
                let product = crate::samples::product("heart", &["85123A"]);
                shop.store().put_product(&product, None, None).await.unwrap();
            }
        }
        tokio::time::timeout(Duration::from_secs(5), told).await.expect(change).unwrap();
    }
    let beat = shop.registry().beat(ONE, ShopTime(0)).await.unwrap();
    assert_eq!(beat.catalog_generation, 1);
}
