use std::time::Duration;

use smartcart_domain::{change::EntityKey, id::Sku};
use smartcart_engine::membership::{HandoverError, HandoverStep};
use smartcart_testkit::memory::{RegistryCall, RegistryFault};
use tokio::{runtime::Handle, time::Instant};

use super::{carts_of, create_cart, joined, opened, owned, seconds, settled, stock};
use crate::world::World;

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_stays_after_its_memory_was_cleared_leaves_no_actor_behind() {
    const CARTS: usize = 40;
    let world = World::empty();
    let pods = settled(&world, &["a", "b"]).await;
    let shard = owned(&world, &pods[0]).await[0];
    for cart in carts_of(shard).take(CARTS) {
        create_cart(&pods[0], cart).await;
    }
    // Now the tables have them, so that the handover has nothing to write.
    tokio::time::sleep(seconds(1)).await;
    let before = tasks();
    // A load that does not end keeps the stocks' memory from being cleared, after the carts' was.
    let in_shard = |sku: &Sku| EntityKey::Stock(sku.clone()).shard() == shard;
    let sku = (0..).map(|number| format!("sku{number}").parse::<Sku>().unwrap()).find(in_shard).unwrap();
    pods[0].store.faults().hold();
    let reading = pods[0].engine.clone();
    let load = tokio::spawn(async move { reading.inventory().read(&sku).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let stays = pods[0].engine.move_shard(shard, "b").await;
    assert_eq!(stays, Err(HandoverError::TimedOut(HandoverStep::Clear)));
    pods[0].store.faults().restore();
    load.await.unwrap().unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert!(tasks() + CARTS <= before, "{} tasks before, {} after", before, tasks());
    // It is whole again.
    create_cart(&pods[0], carts_of(shard).nth(CARTS).unwrap()).await;
    assert_eq!(pods[0].engine.move_shard(shard, "b").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_looks_for_unfinished_checkouts_ends_with_the_engine() {
    let mut left = Vec::new();
    for away in [false, true] {
        let world = World::empty();
        let before = tasks();
        let pod = joined(&world, "a").await;
        if away {
            pod.store.faults().go_away();
        }
        pod.engine.open().await;
        tokio::time::sleep(seconds(5)).await;
        // It stops without leaving: its shards are left to others.
        pod.engine.stop().await.unwrap_err();
        tokio::time::sleep(seconds(60)).await;
        left.push(tasks() - before);
    }
    assert_eq!(left[0], left[1], "nothing goes on after the end, whether the tables have answered or not");
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_gets_nowhere_does_not_hurry() {
    let world = World::empty();
    // One group for each of the others: three questions of five seconds each, then there is nothing to do but to wait.
    let pods = settled(&world, &["a", "b", "c", "d"]).await;
    pods[0].registry.inject_into(RegistryCall::HandOver, vec![RegistryFault::Unreachable; 10_000]);
    let heartbeats = pods[0].registry.calls(RegistryCall::Heartbeat);
    let began = Instant::now();
    pods[0].engine.leave().await;
    assert!(began.elapsed() <= seconds(21));
    let heartbeats = pods[0].registry.calls(RegistryCall::Heartbeat) - heartbeats;
    assert!(heartbeats < 200, "{heartbeats} heartbeats in 20 seconds");
    assert!(!owned(&world, &pods[0]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_moved_shard_serves_what_was_changed_last() {
    let world = World::empty();
    let [a, b] = [opened(&world, "a").await, joined(&world, "b").await];
    let shard = EntityKey::Stock("mug".parse().unwrap()).shard();
    tokio::join!(b.engine.open(), async {
        for on_hand in 1..200 {
            stock(&a, "mug", on_hand).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let to = if world.owner(shard).await == Some(a.incarnation()) { (&a, "b") } else { (&b, "a") };
    assert_eq!(to.0.engine.move_shard(shard, to.1).await, Ok(()));
    for pod in [&a, &b] {
        let read = pod.engine.inventory().read(&"mug".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(read.view().on_hand, 199);
    }
}
