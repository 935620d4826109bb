//! Stock sums: what is held, sold and stocked follows from what was acknowledged, give or take what is indeterminate.

use std::ops::AddAssign;

use serde_json::Value;
use smartcart_testkit::report::Violation;

use super::order::{self, Sighting};

/// A SKU's numbers as an answer showed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    pub version: u64,
    pub on_hand: i64,
    pub held: i64,
    pub available: i64,
    pub sold: i64,
}

/// The numbers that an answer shows, when it shows them.
pub fn level_of(document: &Value) -> Option<Level> {
    let units = |name: &str| document[name].as_i64();
    Some(Level {
        version: document["version"].as_u64()?,
        on_hand: units("on_hand")?,
        held: units("held")?,
        available: units("available")?,
        sold: units("sold")?,
    })
}

/// The least and the most that something can be, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    pub low: i64,
    pub high: i64,
}

impl Range {
    pub const fn exactly(units: i64) -> Self {
        Self { low: units, high: units }
    }

    /// `units`, or none of it.
    pub fn up_to(units: i64) -> Self {
        Self { low: units.min(0), high: units.max(0) }
    }

    pub const fn contains(self, units: i64) -> bool {
        self.low <= units && units <= self.high
    }
}

impl AddAssign for Range {
    fn add_assign(&mut self, other: Self) {
        self.low += other.low;
        self.high += other.high;
    }
}

/// What the clients' journal allows one SKU to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected {
    /// Everything ever stocked: `on_hand + sold`.
    pub stocked: Range,
    pub held: Range,
    pub sold: Range,
}

impl AddAssign for Expected {
    fn add_assign(&mut self, other: Self) {
        self.stocked += other.stocked;
        self.held += other.held;
        self.sold += other.sold;
    }
}

/// What must hold whatever has happened.
pub fn check_level(sku: &str, level: &Level) -> Option<Violation> {
    let Level { on_hand, held, available, sold, .. } = *level;
    let sound = 0 <= held && held <= on_hand && available == on_hand - held && sold >= 0;
    (!sound).then(|| Violation::new("stock_level", format!("{sku}: {level:?}")))
}

/// What must hold given what the clients did.
pub fn check_sums(sku: &str, level: &Level, expected: &Expected) -> Vec<Violation> {
    let sums = [
        ("stocked", level.on_hand + level.sold, expected.stocked),
        ("held", level.held, expected.held),
        ("sold", level.sold, expected.sold),
    ];
    sums.into_iter()
        .filter(|(_, is, range)| !range.contains(*is))
        .map(|(name, is, Range { low, high })| {
            Violation::new("stock_sum", format!("{sku}: {name} is {is}, not {low} to {high}; {level:?}"))
        })
        .collect()
}

/// A read of one SKU, on the clients' common counter.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    pub level: Level,
    pub sent: u64,
    pub answered: u64,
}

/// Every read is sound, versions do not go back, and one version is one set of numbers.
pub fn check_reads(sku: &str, reads: &[Read]) -> Vec<Violation> {
    let mut violations: Vec<Violation> =
        reads.iter().filter_map(|read| check_level(sku, &read.level)).collect();
    let seen =
        |read: &Read| Sighting { version: read.level.version, sent: read.sent, answered: read.answered };
    violations.extend(order::check(&sku, &reads.iter().map(seen).collect::<Vec<_>>()));
    let mut levels: Vec<Level> = reads.iter().map(|read| read.level).collect();
    levels.sort_by_key(|level| level.version);
    let contradictions =
        levels.windows(2).filter(|pair| pair[0].version == pair[1].version && pair[0] != pair[1]);
    violations.extend(contradictions.map(|pair| {
        Violation::new("two_levels_of_one_version", format!("{sku}: {:?} and {:?}", pair[0], pair[1]))
    }));
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(version: u64, on_hand: i64, held: i64, sold: i64) -> Level {
        Level { version, on_hand, held, available: on_hand - held, sold }
    }

    fn rules(violations: &[Violation]) -> Vec<&'static str> {
        violations.iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn a_sound_level_passes() {
        assert_eq!(check_level("A", &level(1, 10, 10, 0)), None);
    }

    #[test]
    fn each_unsound_level_is_found() {
        let oversold = level(1, -1, 0, 11);
        let overheld = level(1, 5, 6, 0);
        let negative_hold = level(1, 5, -1, 0);
        let wrong_available = Level { available: 9, ..level(1, 10, 0, 0) };
        let negative_sold = level(1, 10, 0, -1);
        for broken in [oversold, overheld, negative_hold, wrong_available, negative_sold] {
            assert!(check_level("A", &broken).is_some(), "{broken:?}");
        }
    }

    #[test]
    fn sums_lie_between_what_was_acknowledged_and_what_is_indeterminate() {
        let mut expected = Expected { stocked: Range::exactly(100), ..Expected::default() };
        expected += Expected { held: Range::exactly(3), ..Expected::default() };
        expected += Expected { held: Range::up_to(2), ..Expected::default() };
        expected += Expected { held: Range::up_to(-3), sold: Range::up_to(3), ..Expected::default() };
        for (held, sold, fine) in [(3, 0, true), (5, 0, true), (0, 3, true), (6, 0, false), (3, 4, false)] {
            let found = check_sums("A", &level(9, 100 - sold, held, sold), &expected);
            assert_eq!(found.is_empty(), fine, "{held} held, {sold} sold: {found:?}");
        }
    }

    #[test]
    fn a_lost_hold_a_doubled_sale_and_a_lost_adjustment_are_found() {
        let expected =
            Expected { stocked: Range::exactly(100), held: Range::exactly(5), sold: Range::exactly(10) };
        assert_eq!(check_sums("A", &level(9, 90, 5, 10), &expected), []);
        assert_eq!(rules(&check_sums("A", &level(9, 90, 0, 10), &expected)), ["stock_sum"]);
        assert_eq!(rules(&check_sums("A", &level(9, 80, 5, 20), &expected)), ["stock_sum"]);
        assert_eq!(rules(&check_sums("A", &level(9, 85, 5, 10), &expected)), ["stock_sum"]);
    }

    #[test]
    fn reads_that_contradict_each_other_are_found() {
        let read = |level, sent| Read { level, sent, answered: sent + 1 };
        let back = [read(level(5, 10, 1, 0), 0), read(level(4, 10, 0, 0), 2)];
        assert_eq!(rules(&check_reads("A", &back)), ["version_went_back"]);
        let two = [read(level(5, 10, 1, 0), 0), read(level(5, 10, 2, 0), 2)];
        assert_eq!(rules(&check_reads("A", &two)), ["two_levels_of_one_version"]);
        let fine = [read(level(5, 10, 1, 0), 0), read(level(5, 10, 1, 0), 2), read(level(6, 10, 2, 0), 4)];
        assert_eq!(check_reads("A", &fine), []);
    }
}
