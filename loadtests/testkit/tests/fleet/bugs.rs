//! The invariants bite: a fleet on ports that do what they must never do fails within so many seeds.

use smartcart_testkit::memory::Bug;

use crate::{run_seed, scenario::Scenario};

/// What to plant, and at one chance in how many it strikes.
pub(crate) type Planted = (Bug, u32);

/// A bug that no run notices among these would stay.
const SEEDS: std::ops::Range<u64> = 0..100;

fn is_found(scenario: Scenario, planted: Planted) {
    let found = SEEDS.into_iter().find(|seed| run_seed(scenario, *seed, Some(planted)).is_err());
    println!("{planted:?}: found by seed {found:?}");
    assert!(found.is_some(), "no run of {scenario:?} notices {planted:?}");
}

#[test]
fn an_append_that_is_acknowledged_and_dropped_is_found() {
    is_found(Scenario::Failover, (Bug::DroppedAppend, 4));
}

#[test]
fn a_fence_that_does_not_hold_is_found() {
    is_found(Scenario::Partition, (Bug::OpenFence, 1));
}

#[test]
fn a_journal_that_is_not_found_after_a_death_is_found() {
    is_found(Scenario::Failover, (Bug::ForgottenJournal, 1));
}

#[test]
fn a_flush_that_is_acknowledged_and_lost_is_found() {
    is_found(Scenario::Handover, (Bug::LostFlush, 8));
}

#[test]
fn a_shard_that_two_pods_have_is_found() {
    is_found(Scenario::Handover, (Bug::TwoOwners, 2));
}

#[test]
fn a_repetition_that_is_done_again_is_found() {
    is_found(Scenario::Checkout, (Bug::RepeatedRequest, 1));
}
