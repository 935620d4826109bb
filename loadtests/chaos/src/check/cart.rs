//! Is there an order of a cart's changes that explains every answer?
//!
//! Each accepted change makes one version, and its answer shows the cart as of it. So the acknowledged changes stand in
//! their order already; a version that nobody was told of must be one of the indeterminate changes, and each of those is
//! used at most once. What is left is a small search, done depth-first with the states that failed remembered.

use std::collections::{BTreeMap, HashSet};

use smartcart_testkit::report::Violation;

use super::order::{self, Sighting};
use crate::cart::{CartChange, Lines, Snapshot};

/// What is known of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Acknowledged, with the cart as it then was.
    Shown(Snapshot),
    /// It was made exactly once; at which version was not said.
    Made,
    /// Indeterminate: made once or not at all.
    Perhaps,
}

#[derive(Debug, Clone)]
pub struct Change {
    pub change: CartChange,
    pub fate: Fate,
    /// When it was asked for and answered, on the clients' common counter.
    pub sent: u64,
    pub answered: u64,
}

/// A read of the cart.
#[derive(Debug, Clone)]
pub struct Read {
    pub snapshot: Snapshot,
    pub sent: u64,
    pub answered: u64,
}

#[derive(Debug, Clone)]
pub struct CartHistory {
    pub cart: String,
    /// The cart when the history began; nothing was under way then.
    pub base: Snapshot,
    pub changes: Vec<Change>,
    pub reads: Vec<Read>,
    /// The cart when everything was over.
    pub last: Snapshot,
}

/// Beyond this many indeterminate changes of one cart the search is not begun.
const MAX_POOL: usize = 63;

pub fn check(history: &CartHistory) -> Vec<Violation> {
    let mut violations: Vec<Violation> =
        order::check(&history.cart, &sightings(history)).into_iter().collect();
    match Search::new(history) {
        Ok(mut search) => {
            if !search.from(history.base.version, &history.base.lines, Spent::default()) {
                violations.push(search.violation());
            }
        }
        Err(violation) => violations.push(violation),
    }
    violations
}

fn sightings(history: &CartHistory) -> Vec<Sighting> {
    let shown = history.changes.iter().filter_map(|change| match &change.fate {
        Fate::Shown(snapshot) => {
            Some(Sighting { version: snapshot.version, sent: change.sent, answered: change.answered })
        }
        Fate::Made | Fate::Perhaps => None,
    });
    let read = history.reads.iter().map(|read| Sighting {
        version: read.snapshot.version,
        sent: read.sent,
        answered: read.answered,
    });
    let base = Sighting { version: history.base.version, sent: 0, answered: 0 };
    let last = Sighting { version: history.last.version, sent: u64::MAX, answered: u64::MAX };
    shown.chain(read).chain([base, last]).collect()
}

/// Which changes of the pool are accounted for on the way to a state: bit by place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Spent {
    /// They made a version.
    used: u64,
    /// There was a moment at which they would have changed nothing, and needed no version.
    idle: u64,
}

struct Search<'a> {
    history: &'a CartHistory,
    /// Acknowledged changes by the version they made.
    shown: BTreeMap<u64, (&'a CartChange, &'a Lines)>,
    /// What was read at a version.
    read: BTreeMap<u64, &'a Lines>,
    /// Changes whose version is not known, and whether they must have been made.
    pool: Vec<(&'a CartChange, bool)>,
    failed: HashSet<(u64, Spent, Lines)>,
    /// The farthest version that was reached, and why the next was not.
    farthest: (u64, String),
}

impl<'a> Search<'a> {
    fn new(history: &'a CartHistory) -> Result<Self, Violation> {
        let mut search = Self {
            history,
            shown: BTreeMap::new(),
            read: BTreeMap::new(),
            pool: Vec::new(),
            failed: HashSet::new(),
            farthest: (history.base.version, "nothing was tried".to_owned()),
        };
        let reads = history.reads.iter().map(|read| &read.snapshot);
        for snapshot in reads.chain([&history.base, &history.last]) {
            search.note_read(snapshot)?;
        }
        for change in &history.changes {
            match &change.fate {
                Fate::Shown(snapshot) => search.note_shown(&change.change, snapshot)?,
                Fate::Made => search.pool.push((&change.change, true)),
                Fate::Perhaps => search.pool.push((&change.change, false)),
            }
        }
        if search.pool.len() > MAX_POOL {
            return Err(Violation::new(
                "too_many_indeterminate",
                format!("{}: {}", history.cart, search.pool.len()),
            ));
        }
        Ok(search)
    }

    fn note_read(&mut self, snapshot: &'a Snapshot) -> Result<(), Violation> {
        match self.read.insert(snapshot.version, &snapshot.lines) {
            Some(before) if *before != snapshot.lines => Err(Violation::new(
                "two_images_of_one_version",
                format!(
                    "{}: version {} was {before:?} and {:?}",
                    self.history.cart, snapshot.version, snapshot.lines
                ),
            )),
            _ => Ok(()),
        }
    }

    fn note_shown(&mut self, change: &'a CartChange, snapshot: &'a Snapshot) -> Result<(), Violation> {
        // A change that changes nothing (a set to what is there) needs no version of its own.
        if change.apply(&snapshot.lines).as_ref() == Some(&snapshot.lines)
            && self.shown.contains_key(&snapshot.version)
        {
            return self.note_read(snapshot);
        }
        if snapshot.version == self.history.base.version && snapshot.lines == self.history.base.lines {
            return Ok(());
        }
        match self.shown.insert(snapshot.version, (change, &snapshot.lines)) {
            Some((other, lines)) if other.apply(lines).as_ref() != Some(lines) => Err(Violation::new(
                "version_given_twice",
                format!(
                    "{}: version {} was answered to {other:?} and to {change:?}",
                    self.history.cart, snapshot.version
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the rest of the history can follow on `lines` at `version`, with the changes in `spent` accounted for.
    fn from(&mut self, version: u64, lines: &Lines, spent: Spent) -> bool {
        let Some((version, lines, spent)) = self.follow_shown(version, lines, spent) else { return false };
        if version >= self.history.last.version {
            return self.arrived(version, &lines, spent);
        }
        if self.failed.contains(&(version, spent, lines.clone())) {
            return false;
        }
        let next = version + 1;
        for index in 0..self.pool.len() {
            let unused = spent.used & (1 << index) == 0;
            let Some(after) = self.pool[index].0.apply(&lines).filter(|_| unused) else { continue };
            let contradicted = self.read.get(&next).is_some_and(|read| **read != after);
            let spent = Spent { used: spent.used | 1 << index, ..spent };
            if !contradicted && self.from(next, &after, spent) {
                return true;
            }
        }
        self.stuck(version, format!("no indeterminate change explains version {next} after {lines:?}"));
        self.failed.insert((version, spent, lines));
        false
    }

    /// Goes through the acknowledged changes that follow without a gap; `None` when one of them contradicts.
    fn follow_shown(
        &mut self,
        mut version: u64,
        lines: &Lines,
        mut spent: Spent,
    ) -> Option<(u64, Lines, Spent)> {
        let mut lines = lines.clone();
        spent.idle |= self.idle_on(&lines);
        while version < self.history.last.version {
            let Some(&(change, answered)) = self.shown.get(&(version + 1)) else { break };
            let after = change.apply(&lines);
            if after.as_ref() != Some(answered) {
                let why = format!("{change:?} on {lines:?} gives {after:?}, but {answered:?} was answered");
                self.stuck(version, why);
                return None;
            }
            version += 1;
            lines.clone_from(answered);
            spent.idle |= self.idle_on(&lines);
        }
        Some((version, lines, spent))
    }

    /// The changes of the pool that change nothing on these lines.
    fn idle_on(&self, lines: &Lines) -> u64 {
        let idle = |change: &CartChange| change.apply(lines).as_ref() == Some(lines);
        (0..self.pool.len())
            .filter(|index| idle(self.pool[*index].0))
            .fold(0, |bits, index| bits | 1 << index)
    }

    fn arrived(&mut self, version: u64, lines: &Lines, spent: Spent) -> bool {
        let last = &self.history.last;
        if version > last.version || self.shown.keys().next_back().is_some_and(|shown| *shown > last.version)
        {
            let why = format!("version {} is there, and a higher one was acknowledged", last.version);
            self.stuck(version, why);
            return false;
        }
        if *lines != last.lines {
            self.stuck(version, format!("{lines:?} is expected, {:?} is there", last.lines));
            return false;
        }
        let accounted = spent.used | spent.idle;
        let missing = (0..self.pool.len()).find(|index| self.pool[*index].1 && accounted & (1 << index) == 0);
        if let Some(index) = missing {
            self.stuck(version, format!("{:?} was made once, and left no version", self.pool[index].0));
        }
        missing.is_none()
    }

    fn stuck(&mut self, version: u64, why: String) {
        if version >= self.farthest.0 {
            self.farthest = (version, why);
        }
    }

    fn violation(&self) -> Violation {
        let (version, why) = &self.farthest;
        Violation::new("cart_history", format!("{}: after version {version}: {why}", self.history.cart))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(&str, u32)]) -> Lines {
        of.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect()
    }

    fn snapshot(version: u64, of: &[(&str, u32)]) -> Snapshot {
        Snapshot { version, lines: lines(of) }
    }

    fn add(sku: &str, quantity: u32, fate: Fate) -> Change {
        let change = CartChange::Add { sku: sku.into(), quantity };
        Change { change, fate, sent: 1, answered: u64::MAX - 1 }
    }

    /// A history from an empty cart of version 1.
    fn history(changes: Vec<Change>, last: Snapshot) -> CartHistory {
        CartHistory { cart: "c".into(), base: snapshot(1, &[]), changes, reads: Vec::new(), last }
    }

    fn rules(history: &CartHistory) -> Vec<&'static str> {
        check(history).iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn acknowledged_changes_that_are_there_are_fine() {
        let changes = vec![
            add("A", 2, Fate::Shown(snapshot(3, &[("A", 3)]))),
            add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)]))),
        ];
        assert_eq!(rules(&history(changes, snapshot(3, &[("A", 3)]))), [""; 0]);
    }

    #[test]
    fn an_acknowledged_change_that_is_gone_is_found() {
        let changes = vec![add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)])))];
        assert_eq!(rules(&history(changes, snapshot(1, &[]))), ["version_went_back", "cart_history"]);
    }

    #[test]
    fn an_acknowledged_change_that_is_there_twice_is_found() {
        let changes = vec![add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)])))];
        assert_eq!(rules(&history(changes.clone(), snapshot(2, &[("A", 2)]))), ["cart_history"]);
        assert_eq!(rules(&history(changes, snapshot(3, &[("A", 2)]))), ["cart_history"]);
    }

    #[test]
    fn an_indeterminate_change_may_be_there_or_not() {
        let changes = vec![add("A", 1, Fate::Perhaps), add("A", 2, Fate::Shown(snapshot(2, &[("A", 2)])))];
        assert_eq!(rules(&history(changes.clone(), snapshot(2, &[("A", 2)]))), [""; 0]);
        assert_eq!(rules(&history(changes, snapshot(3, &[("A", 3)]))), [""; 0]);
    }

    #[test]
    fn an_indeterminate_change_that_is_there_twice_is_found() {
        let changes = vec![add("A", 1, Fate::Perhaps)];
        assert_eq!(rules(&history(changes, snapshot(3, &[("A", 2)]))), ["cart_history"]);
    }

    #[test]
    fn an_indeterminate_change_may_stand_before_an_acknowledged_one() {
        let set = Change {
            change: CartChange::Set { sku: "A".into(), quantity: 5 },
            fate: Fate::Perhaps,
            sent: 1,
            answered: u64::MAX - 1,
        };
        let changes = vec![set, add("A", 1, Fate::Shown(snapshot(3, &[("A", 6)])))];
        assert_eq!(rules(&history(changes.clone(), snapshot(3, &[("A", 6)]))), [""; 0]);
        let alone = vec![changes[1].clone()];
        assert_eq!(rules(&history(alone, snapshot(3, &[("A", 6)]))), ["cart_history"]);
    }

    #[test]
    fn a_change_that_a_replay_confirms_must_be_there_once() {
        let changes = vec![add("A", 1, Fate::Made)];
        assert_eq!(rules(&history(changes.clone(), snapshot(2, &[("A", 1)]))), [""; 0]);
        assert_eq!(rules(&history(changes, snapshot(1, &[]))), ["cart_history"]);
    }

    #[test]
    fn one_version_is_given_to_one_change() {
        let changes = vec![
            add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)]))),
            add("B", 1, Fate::Shown(snapshot(2, &[("B", 1)]))),
        ];
        assert_eq!(rules(&history(changes, snapshot(2, &[("B", 1)]))), ["version_given_twice"]);
    }

    #[test]
    fn a_read_that_was_never_true_is_found() {
        let mut seen = history(vec![add("A", 1, Fate::Perhaps)], snapshot(1, &[]));
        seen.reads.push(Read { snapshot: snapshot(2, &[("A", 1)]), sent: 3, answered: 4 });
        assert_eq!(rules(&seen), ["version_went_back"], "what was read must be durable");
    }

    #[test]
    fn a_set_to_what_is_there_needs_no_version() {
        let set = Change {
            change: CartChange::Set { sku: "A".into(), quantity: 1 },
            fate: Fate::Shown(snapshot(2, &[("A", 1)])),
            sent: 1,
            answered: u64::MAX - 1,
        };
        let changes = vec![add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)]))), set];
        assert_eq!(rules(&history(changes, snapshot(2, &[("A", 1)]))), [""; 0]);
    }

    #[test]
    fn lost_updates_between_concurrent_adds_are_found() {
        // Both adds were acknowledged, and the second was computed from what was there before the first.
        let changes = vec![
            add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)]))),
            add("A", 2, Fate::Shown(snapshot(3, &[("A", 2)]))),
        ];
        assert_eq!(rules(&history(changes, snapshot(3, &[("A", 2)]))), ["cart_history"]);
    }

    #[test]
    fn clearing_twice_makes_one_version() {
        let clear =
            || Change { change: CartChange::Clear, fate: Fate::Made, sent: 1, answered: u64::MAX - 1 };
        let changes = vec![add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)]))), clear(), clear()];
        assert_eq!(rules(&history(changes.clone(), snapshot(3, &[]))), [""; 0]);
        assert_eq!(rules(&history(changes, snapshot(2, &[("A", 1)]))), [""; 0], "both before the add");
        let after = add("B", 1, Fate::Shown(snapshot(3, &[("A", 1), ("B", 1)])));
        let twice = vec![add("A", 1, Fate::Shown(snapshot(2, &[("A", 1)]))), after, add("B", 2, Fate::Made)];
        assert_eq!(rules(&history(twice, snapshot(3, &[("A", 1), ("B", 1)]))), ["cart_history"]);
    }
}
