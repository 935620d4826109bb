//! Who owns a shard, as a model small enough to be searched whole: one entity, three incarnations, and everything that can
//! happen to them in any order, within bounds. With all rules the promises hold in every state; without any one of them
//! the search prints a shortest way to a broken promise. What the model leaves out is in docs/adr/0003.
//!
//! To learn the protocol: the rules (`rules.rs`), the state (`state.rs`), what must be true of it (`promises.rs`), what an
//! owner does (`owner.rs`), how it gives a shard away (`handover.rs`), and what becomes of the dead (`take_over.rs`).

mod handover;
mod owner;
mod promises;
mod rules;
mod search;
mod state;
mod steps;
mod take_over;

use self::{
    promises::SIGHTS,
    rules::{ALL, Bounds, Rules},
    search::search,
};

const NOTHING: Bounds = Bounds {
    changes: 2,
    crashes: 0,
    silences: 0,
    handovers: 0,
    lost_answers: 0,
    late_rows: 0,
    readers: 0,
    reloads: 0,
    deregistrations: 0,
    new_fleet: false,
};

/// Pods die, or seem to.
const DEATHS: Bounds = Bounds { crashes: 1, silences: 1, ..NOTHING };
/// Shards go from pod to pod.
const MOVES: Bounds = Bounds { handovers: 2, lost_answers: 1, readers: 1, ..NOTHING };
/// The registry's rows arrive late.
const LATE: Bounds = Bounds { changes: 1, handovers: 2, late_rows: 1, ..NOTHING };
/// Pods come, go, and leave shards to nobody.
const LEAVING: Bounds = Bounds { handovers: 2, deregistrations: 2, ..NOTHING };
/// A pod dies while it hands over.
const DEATHS_AND_MOVES: Bounds = Bounds { silences: 1, handovers: 1, ..NOTHING };
/// Three pods start at about the same time.
const NEW_FLEET: Bounds = Bounds { changes: 2, new_fleet: true, ..NOTHING };

/// Sees the promises kept in every state, and that the search has been where it should have been.
fn holds(name: &str, bounds: Bounds, steps: &[&str], sights: &[usize]) {
    let began = std::time::Instant::now();
    let found = search(bounds, &ALL);
    println!("{name}: {} states in {:.1?}", found.states, began.elapsed());
    if let Some(broken) = found.broken {
        tell(broken.promise, &broken.way);
        panic!("{name}: a promise is broken with all rules");
    }
    println!("  steps {:?}", found.steps);
    for step in steps {
        assert!(found.steps.get(*step).is_some_and(|count| *count > 0), "{name}: nobody did {step}");
    }
    for sight in sights {
        assert!(found.sights[*sight] > 0, "{name}: not seen: {}", SIGHTS[*sight].0);
    }
}

fn tell(promise: &str, way: &[steps::Step]) {
    for (number, step) in way.iter().enumerate() {
        println!("{:>4}. {step}", number + 1);
    }
    println!("      => {promise}");
}

/// Without the rule a promise is broken.
fn goes_wrong(without: &str, rules: &Rules, bounds: Bounds) {
    let found = search(bounds, rules);
    let Some(broken) = found.broken else {
        panic!(
            "without '{without}' nothing went wrong in {} states: the model does not show what it is for",
            found.states
        )
    };
    println!("without '{without}', after {} states:", found.states);
    tell(broken.promise, &broken.way);
}

#[test]
fn the_promises_hold_when_pods_die_or_seem_to() {
    let steps =
        ["Crash", "FallSilent", "DeclareDead", "FinishJournal", "Reassign", "EndClaim", "Append", "Flush"];
    holds("deaths", DEATHS, &steps, &[0, 1, 2, 3]);
}

#[test]
fn the_promises_hold_when_shards_move() {
    let steps = ["Close", "Urgent", "Clear", "WriteOwner", "ReadRows", "ReaderInserts", "Flush"];
    holds("moves", MOVES, &steps, &[4]);
}

#[test]
fn the_promises_hold_when_pods_go() {
    holds("leaving", LEAVING, &["Close", "Deregister", "BeginClaim", "EndClaim"], &[]);
}

#[test]
fn the_promises_hold_when_the_registrys_rows_arrive_late() {
    holds("late rows", LATE, &["ReadLate", "ApplyLate"], &[]);
}

#[test]
fn the_promises_hold_when_pods_die_while_shards_move() {
    let steps = ["Close", "WriteOwner", "FallSilent", "DeclareDead", "FinishJournal", "Reassign"];
    holds("deaths and moves", DEATHS_AND_MOVES, &steps, &[0, 1, 2]);
}

#[test]
fn the_promises_hold_when_a_fleet_starts() {
    holds("a new fleet", NEW_FLEET, &["Join", "BeginClaim", "EndClaim", "Append"], &[5]);
}

/// Without the rule a promise is broken: each test prints a shortest way there.
macro_rules! without {
    ($($rule:ident: $bounds:expr,)*) => {
        mod without {
            use super::*;
            $(#[test]
            fn $rule() {
                goes_wrong(stringify!($rule), &Rules { $rule: false, ..ALL }, $bounds);
            })*
        }
    };
}

without! {
    fence: DEATHS,
    wait_for_in_flight: DEATHS,
    finish_first: DEATHS,
    drain: MOVES,
    flush_before_handover: MOVES,
    only_over_lower: MOVES,
    claim_looks_again: NEW_FLEET,
    load_while_here: MOVES,
    tables_may_be_newer: LEAVING,
    one_epoch_each: MOVES,
    confirmed_answers: DEATHS,
    patience: DEATHS,
}

/// Minutes, and gigabytes: cargo test --release -p smartcart-engine --test model -- --ignored --nocapture
#[test]
#[ignore = "takes minutes"]
fn the_promises_hold_further_out() {
    holds("more deaths", Bounds { changes: 3, lost_answers: 1, ..DEATHS }, &[], &[]);
    holds("more moves", Bounds { changes: 3, reloads: 1, ..MOVES }, &[], &[]);
    holds("more leaving", Bounds { changes: 3, handovers: 3, ..LEAVING }, &[], &[]);
    holds("more of both", Bounds { crashes: 1, handovers: 2, ..DEATHS_AND_MOVES }, &[], &[]);
    holds("a new fleet", Bounds { changes: 3, crashes: 1, silences: 1, ..NEW_FLEET }, &[], &[]);
}
