//! Outages by hand: what a seed would draw too rarely.

use std::{sync::Arc, time::Duration};

use smartcart_engine::{Config, journal::JournalPlacement as _};
use smartcart_testkit::{
    memory::{PeerFault, StoreFault},
    random::{Rng, seeded},
};

use crate::{
    on_paused_clock,
    pod::{Pod, Roughness},
    shopper::Shopper,
    verify::verify,
    world::World,
};

/// A fleet that nothing befalls of itself, a shopper with two things in the cart, and the cart's owner.
async fn opened(placed: bool) -> (Arc<World>, Shopper, Arc<Pod>, Rng) {
    let mut rng = seeded(1);
    let world = World::open(&mut rng, Roughness { placed, ..Roughness::CALM }).await;
    let mut shopper = Shopper::new(&world, rng.clone());
    shopper.create().await;
    shopper.add().await;
    shopper.add().await;
    let owner = world.owner(shopper.shard()).await;
    let owner = world.pods.lock().iter().find(|pod| Some(pod.incarnation()) == owner).cloned();
    (world, shopper, owner.unwrap(), rng)
}

/// A client's command, which its key guards.
#[test]
fn a_command_that_arrives_again_much_later_is_done_once() {
    on_paused_clock(1, async {
        let (world, mut shopper, owner, mut rng) = opened(false).await;
        let late = PeerFault::RepeatLate(Duration::from_secs(2));
        let pods = world.pods.lock().clone();
        for pod in pods.iter().filter(|pod| !Arc::ptr_eq(pod, &owner)) {
            pod.hurt_peers(&[late; 10]);
        }
        for _ in 0..10 {
            shopper.add().await;
        }
        assert!(world.struck() > 0, "some were passed on");
        tokio::time::sleep(Duration::from_secs(3)).await;
        verify(&world, &[shopper], &mut rng).await;
    });
}

#[test]
fn a_write_behind_that_panics_stops_changes_and_loses_none() {
    on_paused_clock(1, async {
        let (world, mut shopper, owner, mut rng) = opened(false).await;
        owner.store.faults().inject([StoreFault::Panic]);
        let why = owner.engine.failed().await;
        assert!(why.contains("write-behind"), "{why}");
        assert!(shopper.is_refused_by(&owner).await);
        world.take_out(&owner);
        shopper.add().await;
        verify(&world, &[shopper], &mut rng).await;
    });
}

/// PostgreSQL is away; the journal is elsewhere and knows that nobody has taken this pod's place.
#[test]
fn a_journal_that_confirms_ownership_stands_in_for_the_registry() {
    on_paused_clock(1, async {
        let (world, mut shopper, _, mut rng) = opened(true).await;
        let pods = world.pods.lock().clone();
        for pod in &pods {
            pod.lose_database();
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        shopper.add().await;
        assert!(shopper.failures.is_empty(), "{:?}", shopper.failures);
        for pod in &pods {
            pod.resume();
        }
        verify(&world, &[shopper], &mut rng).await;
    });
}

#[test]
fn without_such_a_journal_changes_are_refused_while_the_registry_is_away() {
    on_paused_clock(1, async {
        let (world, mut shopper, _, mut rng) = opened(false).await;
        let pods = world.pods.lock().clone();
        for pod in &pods {
            pod.lose_database();
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        let back = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            for pod in &pods {
                pod.resume();
            }
        };
        tokio::join!(shopper.add(), back);
        assert!(!shopper.failures.is_empty());
        verify(&world, &[shopper], &mut rng).await;
    });
}

#[test]
fn a_journal_drops_its_copies_when_memory_is_short() {
    on_paused_clock(1, async {
        let (world, mut shopper, owner, mut rng) = opened(true).await;
        let placement = owner.placement.clone().unwrap();
        let memory = Config::default().write_behind.memory;
        placement.retain(memory / 100 * 40);
        assert!(owner.engine.status().tables_behind.bytes >= memory / 100 * 40);
        shopper.add().await;
        assert!(placement.retained_bytes() > 0, "there is room");
        placement.retain(memory / 100 * 60);
        shopper.add().await;
        assert_eq!(placement.retained_bytes(), 0);
        verify(&world, &[shopper], &mut rng).await;
    });
}
