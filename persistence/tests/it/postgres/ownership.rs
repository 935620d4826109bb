//! What the registry does under PostgreSQL's locks; what every registry does is in the conformance suite.

use std::time::Duration;

use smartcart_domain::{id::IncarnationId, shard::ShardId, time::ShopTime};
use smartcart_engine::registry::{Epoch, Registry as _, ShardRow};
use smartcart_testkit::conformance::backend::{Fleet as _, member};
use sqlx::Connection as _;

use crate::backend::Postgres;

const ONE: IncarnationId = IncarnationId(1);
/// Its fence is apart from those of 1 and 2.
const FAR: IncarnationId = IncarnationId(7 << 100);

fn owned(rows: &[ShardRow], by: IncarnationId) -> Vec<u16> {
    rows.iter().filter(|row| row.owner == Some(by)).map(|row| row.shard.0).collect()
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
