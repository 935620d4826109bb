use smartcart_engine::registry::Registry as _;
use smartcart_testkit::memory::{MemoryRegistry, RegistryCall, RegistryFault, StoreFault};

use super::{SUSPICION_TIMEOUT, belongs_to, eventually, joined, opened, owned, seconds, settled, stock};
use crate::world::World;

const TRIES: [RegistryFault; 3] =
    [RegistryFault::LoseAnswer, RegistryFault::Unreachable, RegistryFault::OldView];

#[tokio::test(start_paused = true)]
async fn a_member_whose_calls_fail_or_hang_for_a_moment_stays_one() {
    for call in [RegistryCall::Heartbeat, RegistryCall::Shards] {
        for faults in [TRIES.to_vec(), vec![RegistryFault::Hang]] {
            let world = World::empty();
            let pods = settled(&world, &["a", "b"]).await;
            let before = owned(&world, &pods[0]).await;
            pods[0].registry.inject_into(call, faults.clone());
            tokio::time::sleep(seconds(30)).await;
            assert!(pods[0].is_alive(), "{call:?}, {faults:?}");
            assert_eq!(pods[1].registry.calls(RegistryCall::DeclareDead), 0, "{call:?}, {faults:?}");
            assert_eq!(owned(&world, &pods[0]).await, before, "{call:?}, {faults:?}");
            stock(&pods[0], "mug", 7).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fence_ends_a_member_at_its_next_heartbeat() {
    let world = World::empty();
    let pods = settled(&world, &["a", "b"]).await;
    let registry = MemoryRegistry::new(&world.database);
    assert!(registry.declare_dead(pods[1].incarnation(), pods[0].incarnation()).await.unwrap());
    let failed = tokio::time::timeout(seconds(2), pods[0].engine.failed()).await;
    assert!(failed.is_ok_and(|why| !why.is_empty()));
    eventually("the other has everything", seconds(30), async || belongs_to(&world, &[&pods[1]]).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_fail_stops_is_heard_of_no_more() {
    let world = World::empty();
    let pods = settled(&world, &["a", "b"]).await;
    let sku = "mug".parse().unwrap();
    let shard = smartcart_domain::change::EntityKey::Stock(sku).shard();
    let owner = world.owner(shard).await.unwrap();
    let (mine, other) =
        if pods[0].incarnation() == owner { (&pods[0], &pods[1]) } else { (&pods[1], &pods[0]) };
    mine.store.faults().inject([StoreFault::Conflict]);
    stock(mine, "mug", 7).await;
    mine.engine.failed().await;
    let calls = mine.registry.calls(RegistryCall::Heartbeat);
    tokio::time::sleep(SUSPICION_TIMEOUT).await;
    assert_eq!(mine.registry.calls(RegistryCall::Heartbeat), calls);
    assert!(other.is_alive());
}

#[tokio::test(start_paused = true)]
async fn members_come_and_go() {
    let world = World::empty();
    let a = opened(&world, "a").await;
    // It joins, and is never heard of.
    let silent = joined(&world, "silent").await;
    let names = || {
        let members = a.engine.status().members;
        members.into_iter().map(|member| member.pod).collect::<Vec<_>>()
    };
    eventually("the new one is seen", seconds(2), async || names().len() == 2).await;
    eventually("the silent one is gone", seconds(20), async || names() == ["a"]).await;
    assert!(silent.registry.heartbeat(silent.incarnation(), Default::default()).await.is_err());

    let b = opened(&world, "b").await;
    eventually("it gets its share", seconds(20), async || owned(&world, &b).await.len() > 300).await;
    b.engine.leave().await;
    b.engine.stop().await.unwrap();
    eventually("it has deregistered", seconds(2), async || names() == ["a"]).await;
    assert!(belongs_to(&world, &[&a]).await && a.is_alive());
    assert_eq!(a.registry.calls(RegistryCall::DeclareDead), 1, "only the silent one");
}
