//! A whole fleet in one process, on ports in memory and a clock that jumps from event to event. A seed draws the delays of
//! every call, the faults and the load, so it orders what can be ordered. A seed that fails says how it is run again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bugs;
mod clock;
mod membership;
mod outages;
mod pod;
mod scenario;
mod shopper;
mod standby;
mod verify;
mod world;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use scenario::Scenario;

use crate::bugs::Planted;

/// A run that takes longer on its own clock hangs.
const LONGEST: Duration = Duration::from_secs(600);
/// Fewer faults for each seed say little.
const FAULTS_THAT_BITE: u64 = 10;

/// On a clock that jumps, and with the seed's own jitter. Nothing may last longer than [`LONGEST`].
fn on_paused_clock<T>(seed: u64, run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    fastrand::seed(seed);
    let ran = runtime.block_on(async { tokio::time::timeout(LONGEST, run).await });
    ran.expect("the run ends")
}

/// The faults that the run has suffered.
fn run_seed(scenario: Scenario, seed: u64, bug: Option<Planted>) -> Result<u64, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| on_paused_clock(seed, scenario.run(seed, bug))))
}

/// Runs the first `seeds` seeds, or the one that the environment names.
fn run(scenario: Scenario, name: &str, seeds: u64) {
    let one = std::env::var("FLEET_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    if one.is_some() {
        // What the pods say, when one run is looked at. Another scenario may have begun to listen.
        let _listening = tracing_subscriber::fmt().with_test_writer().try_init();
    }
    let seeds = one.map_or(0..seeds, |seed| seed..seed + 1);
    let (mut runs, mut faults) = (0, 0);
    for seed in seeds {
        match run_seed(scenario, seed, None) {
            Ok(suffered) => (runs, faults) = (runs + 1, faults + suffered),
            Err(panic) => {
                println!("again: FLEET_SEED={seed} cargo test -p smartcart-testkit --test fleet {name}");
                resume_unwind(panic);
            }
        }
    }
    println!("{name}: {faults} faults in {runs} runs");
    assert!(one.is_some() || faults >= runs * FAULTS_THAT_BITE, "{faults} faults in {runs} runs are too few");
}

#[test]
fn handover() {
    run(Scenario::Handover, "handover", 300);
}

#[test]
fn failover() {
    run(Scenario::Failover, "failover", 250);
}

#[test]
fn partition() {
    run(Scenario::Partition, "partition", 100);
}

#[test]
fn checkout() {
    run(Scenario::Checkout, "checkout", 250);
}

#[test]
fn standby() {
    run(Scenario::Standby, "standby", 100);
}
