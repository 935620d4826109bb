use std::time::Duration;

use smartcart_domain::{id::CartId, limits::SHARDS};
use smartcart_testkit::memory::{RegistryCall, RegistryFault};

use super::{
    REBALANCE_DELAY, belongs_to, create_cart, eventually, joined, opened, owned, rows, seconds, settled,
};
use crate::{pod::Pod, world::World};

fn is_half(shards: usize) -> bool {
    (400..624).contains(&shards)
}

async fn share_evenly(world: &World, pods: [&Pod; 2]) -> bool {
    let [one, other] = pods;
    let (one, other) = (owned(world, one).await.len(), owned(world, other).await.len());
    one + other == usize::from(SHARDS) && is_half(one) && is_half(other)
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_fails_is_made_again() {
    use RegistryFault::{Hang, LoseAnswer, Unreachable};
    for faults in [vec![Unreachable, Unreachable], vec![LoseAnswer], vec![Hang, LoseAnswer, Unreachable]] {
        let world = World::empty();
        let pod = joined(&world, "a").await;
        pod.registry.inject_into(RegistryCall::Claim, faults.clone());
        pod.engine.open().await;
        assert!(belongs_to(&world, &[&pod]).await, "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn handovers_that_fail_hang_or_are_lost_are_made_again() {
    use RegistryFault::{Hang, LoseAnswer, Unreachable};
    for faults in
        [vec![Unreachable; 3], vec![LoseAnswer; 3], vec![Hang, Hang], vec![Hang, LoseAnswer, Unreachable]]
    {
        let world = World::empty();
        let a = opened(&world, "a").await;
        a.registry.inject_into(RegistryCall::HandOver, faults.clone());
        let b = opened(&world, "b").await;
        eventually(&format!("{faults:?}"), seconds(60), async || share_evenly(&world, [&a, &b]).await).await;
        assert!(rows(&world).await.iter().all(|row| row.epoch.0 <= 2), "{faults:?}: each moves once");
        eventually("both know it", seconds(5), async || {
            let served = |pod: &Pod| pod.engine.shards().iter().all(|shard| shard.owner.is_some());
            served(&a) && served(&b)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn shards_with_tables_that_take_nothing_stay_open_and_move_later() {
    let world = World::empty();
    let a = opened(&world, "a").await;
    a.store.faults().hold();
    for cart in (0..4_000).map(CartId) {
        create_cart(&a, cart).await;
    }
    let b = opened(&world, "b").await;
    for cart in (10_000..10_060).map(CartId) {
        create_cart(&a, cart).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    a.store.faults().restore();
    eventually("they move", seconds(60), async || share_evenly(&world, [&a, &b]).await).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_moves_before_members_have_been_the_same_for_a_while() {
    let world = World::empty();
    let a = opened(&world, "a").await;
    for _ in 0..3 {
        let visitor = joined(&world, "b").await;
        tokio::time::sleep(REBALANCE_DELAY - Duration::from_millis(600)).await;
        visitor.engine.leave().await;
        visitor.engine.stop().await.unwrap();
    }
    assert_eq!(a.registry.calls(RegistryCall::HandOver), 0);
    let b = opened(&world, "b").await;
    eventually("it stays, and gets its share", seconds(30), async || share_evenly(&world, [&a, &b]).await)
        .await;
}

/// Round trips count, not seconds: a slow disk makes each of them slow.
#[tokio::test(start_paused = true)]
async fn half_of_the_shards_move_in_a_few_round_trips() {
    for (carts, most) in [(0, 5), (1_000, 6), (5_000, 12)] {
        let world = World::empty();
        let a = opened(&world, "a").await;
        for cart in (0..carts).map(CartId) {
            create_cart(&a, cart).await;
        }
        let b = opened(&world, "b").await;
        eventually("it gets its share", seconds(30), async || share_evenly(&world, [&a, &b]).await).await;
        let calls = a.registry.calls(RegistryCall::HandOver);
        assert!(calls <= most, "{calls} calls of the registry for half the shards with {carts} carts");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_goes_hands_over_as_quickly() {
    let world = World::empty();
    let pods = settled(&world, &["a", "b"]).await;
    let before = pods[1].registry.calls(RegistryCall::HandOver);
    pods[1].engine.leave().await;
    assert!(belongs_to(&world, &[&pods[0]]).await);
    let calls = pods[1].registry.calls(RegistryCall::HandOver) - before;
    assert!(calls <= 5, "{calls} calls of the registry");
}
