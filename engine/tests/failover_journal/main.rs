//! A journal in Redis that may forget, with PostgreSQL behind it that may be away: small enough to be searched whole,
//! within bounds. With all rules the promises hold in every state; without any one of them the search prints a shortest way
//! to a broken promise. What it leaves out is in docs/adr/0004.

mod rules;
mod state;

use std::collections::{HashMap, VecDeque};

use self::{
    rules::{ALL, Bounds, Rules},
    state::{Member, Place, State, Step},
};

const BOUNDS: Bounds = Bounds {
    changes: 2,
    breaks: 1,
    outages: 1,
    fail_overs: 1,
    cuts: 1,
    drops: 1,
    crashes: 1,
    deaths: 1,
    more_takers: 1,
};

struct Found {
    states: usize,
    steps: HashMap<Step, usize>,
    sights: [usize; SIGHTS.len()],
    broken: Option<(&'static str, Vec<Step>)>,
}

type Sight = (&'static str, fn(&State) -> bool);

/// States that a search must have met, or it has shown nothing.
const SIGHTS: [Sight; 7] = [
    ("a pod declared dead sends over a connection whose seal was forgotten", |state| {
        state.member == Member::Finished && state.runs && state.connected && !state.redis.sealed
    }),
    ("an acknowledged change is in Redis only", |state| {
        state.acknowledged > state.tables.max(state.postgres.last)
            && state.redis.entries.has(state.acknowledged)
    }),
    ("an acknowledged change is in memory only", |state| {
        state.runs && state.forgot && state.acknowledged > state.tables.max(state.redis.entries.last)
    }),
    ("a change is in Redis and nowhere else, and Redis has forgotten it", |state| {
        state.forgot && state.runs && state.kept_after > state.tables.max(state.redis.entries.last)
    }),
    ("changes are acknowledged while the pod cannot reach PostgreSQL", |state| {
        !state.reaches_postgres && state.place == Place::Redis && state.acknowledged > state.tables
    }),
    ("it came back from PostgreSQL to Redis", |state| {
        state.place == Place::Redis && state.postgres.last > 0 && state.acknowledged > state.postgres.last
    }),
    ("what was finished was in both", |state| {
        state.member == Member::Finished && state.postgres.last > state.postgres.base && state.redis.sealed
    }),
];

/// Every state that can be reached, nearest first.
fn search(bounds: Bounds, rules: &Rules) -> Found {
    let first = State::first(bounds);
    let mut known: HashMap<State, Option<(State, Step)>> = HashMap::from([(first, None)]);
    let mut open = VecDeque::from([first]);
    let mut found = Found { states: 0, steps: HashMap::new(), sights: [0; SIGHTS.len()], broken: None };
    while let Some(state) = open.pop_front() {
        for (sight, count) in SIGHTS.iter().zip(&mut found.sights) {
            *count += usize::from(sight.1(&state));
        }
        for step in Step::ALL {
            let Some(next) = state.after(step, rules) else { continue };
            *found.steps.entry(step).or_default() += 1;
            if known.contains_key(&next) {
                continue;
            }
            known.insert(next, Some((state, step)));
            if let Some(promise) = next.wrong {
                found.broken = Some((promise, way_to(&known, next)));
                found.states = known.len();
                return found;
            }
            open.push_back(next);
        }
    }
    found.states = known.len();
    found
}

fn way_to(known: &HashMap<State, Option<(State, Step)>>, mut state: State) -> Vec<Step> {
    let mut way = Vec::new();
    while let Some(Some((before, step))) = known.get(&state) {
        way.push(*step);
        state = *before;
    }
    way.reverse();
    way
}

fn tell(promise: &str, way: &[Step]) {
    for (number, step) in way.iter().enumerate() {
        println!("{:>4}. {step:?}", number + 1);
    }
    println!("      => {promise}");
}

fn holds(bounds: Bounds) {
    let began = std::time::Instant::now();
    let found = search(bounds, &ALL);
    println!(
        "{} states in {:.1?}; steps {:?}; sights {:?}",
        found.states,
        began.elapsed(),
        found.steps,
        found.sights
    );
    if let Some((promise, way)) = found.broken {
        tell(promise, &way);
        panic!("a promise is broken with all rules");
    }
    for step in Step::ALL {
        let is_wrong = step == Step::AnswerReader;
        assert_eq!(found.steps.contains_key(&step), !is_wrong, "{step:?}");
    }
    for (sight, count) in SIGHTS.iter().zip(found.sights) {
        assert!(count > 0, "not seen: {}", sight.0);
    }
}

#[test]
fn the_promises_hold() {
    holds(BOUNDS);
}

/// cargo test --release -p smartcart-engine --test failover_journal -- --ignored --nocapture
#[test]
#[ignore = "takes minutes"]
fn the_promises_hold_further_out() {
    holds(Bounds { changes: 3, fail_overs: 2, ..BOUNDS });
}

macro_rules! without {
    ($($rule:ident,)*) => {
        mod without {
            use super::*;
            $(#[test]
            fn $rule() {
                let found = search(BOUNDS, &Rules { $rule: false, ..ALL });
                let Some((promise, way)) = found.broken else {
                    panic!("without '{}' nothing went wrong in {} states", stringify!($rule), found.states)
                };
                println!("without '{}', after {} states:", stringify!($rule), found.states);
                tell(promise, &way);
            })*
        }
    };
}

without! {
    append_before_answer,
    read_row,
    read_row_after_connecting,
    publish_again,
    wait_for_tables,
    row_says_redis,
    copy_before_saying,
    stop_before_moving,
    seal,
    read_after_sealing,
    wait_for_redis,
    ask_for_the_seal,
    wait_after_sealing,
}
