//! A whole fleet in one process, on ports in memory and a clock that jumps from event to event. A seed draws the delays of
//! every call, the faults and the load, so it orders what can be ordered. A seed that fails says how it is run again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod membership;
mod pod;
mod scenario;
mod shopper;
mod verify;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use scenario::Scenario;

/// Seeds of each scenario.
const SEEDS: std::ops::Range<u64> = 0..334;
/// A run that takes longer on its own clock hangs.
const LONGEST: Duration = Duration::from_secs(600);

fn run(scenario: Scenario, name: &str) {
    let one = std::env::var("FLEET_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    if one.is_some() {
        // What the pods say, when one run is looked at.
        tracing_subscriber::fmt().with_test_writer().init();
    }
    let seeds = one.map_or(SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            let ran = runtime.block_on(async { tokio::time::timeout(LONGEST, scenario.run(seed)).await });
            ran.expect("the run ends");
        }));
        if let Err(panic) = ended {
            println!("again: FLEET_SEED={seed} cargo test -p smartcart-testkit --test fleet {name}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn handover() {
    run(Scenario::Handover, "handover");
}

#[test]
fn failover() {
    run(Scenario::Failover, "failover");
}

#[test]
fn checkout() {
    run(Scenario::Checkout, "checkout");
}
