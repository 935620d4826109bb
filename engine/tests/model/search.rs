//! Every state that can be reached, nearest first, so that the first way to a broken promise is a shortest one.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hash, Hasher},
};

use super::{
    promises::SIGHTS,
    rules::{Bounds, Rules},
    state::State,
    steps::Step,
};

pub(crate) struct Found {
    pub(crate) states: usize,
    /// How many steps of each kind were taken, and how many states show each sight.
    pub(crate) steps: BTreeMap<String, usize>,
    pub(crate) sights: [usize; SIGHTS.len()],
    pub(crate) broken: Option<Broken>,
}

pub(crate) struct Broken {
    pub(crate) promise: &'static str,
    pub(crate) way: Vec<Step>,
}

/// States are known by 64 bits: that two of a million share them has a chance of one in thirty million.
pub(crate) fn search(bounds: Bounds, rules: &Rules) -> Found {
    let first = State::first(bounds);
    let possible = Step::all(&bounds);
    let mut counts = vec![0; possible.len()];
    let mut sights = [0; SIGHTS.len()];
    let mut known: HashSet<u64, BuildHasherDefault<AsIs>> = HashSet::from_iter([fingerprint(&first)]);
    // From which state, by which of the possible steps, each state was reached.
    let mut reached: Vec<(u32, u16)> = vec![(0, 0)];
    let mut open = VecDeque::from([(0, first)]);
    let mut broken = None;
    'search: while let Some((number, state)) = open.pop_front() {
        for (sight, count) in SIGHTS.iter().zip(&mut sights) {
            *count += usize::from(sight.1(&state));
        }
        for (index, step) in possible.iter().enumerate() {
            let Some(next) = step.after(&state, rules) else { continue };
            counts[index] += 1;
            if !known.insert(fingerprint(&next)) {
                continue;
            }
            let newest = u32::try_from(reached.len()).expect("fewer than four billion states");
            reached.push((number, u16::try_from(index).expect("fewer than 65,536 steps")));
            if let Some(promise) = next.broken(rules) {
                broken = Some(Broken { promise, way: way_to(&reached, &possible, newest) });
                break 'search;
            }
            open.push_back((newest, next));
        }
    }
    let mut steps = BTreeMap::new();
    for (step, count) in possible.iter().zip(counts) {
        *steps.entry(step.kind()).or_default() += count;
    }
    Found { states: reached.len(), steps, sights, broken }
}

fn way_to(reached: &[(u32, u16)], possible: &[Step], mut number: u32) -> Vec<Step> {
    let mut way = Vec::new();
    while number > 0 {
        let (before, step) = reached[number as usize];
        way.push(possible[usize::from(step)]);
        number = before;
    }
    way.reverse();
    way
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = Mix::default();
    state.hash(&mut hasher);
    hasher.finish()
}

/// A multiplication and a rotation a word, mixed well at the end: quick without the optimiser, too.
#[derive(Default)]
struct Mix(u64);

impl Mix {
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.add(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.add(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.add(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.add(word.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ mixed >> 32
    }
}

/// Fingerprints are mixed already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
