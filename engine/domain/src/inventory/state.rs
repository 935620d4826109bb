use std::collections::{BTreeMap, BTreeSet};

use crate::{
    id::{CartId, HoldId, OrderId, Sku},
    time::ShopTime,
};

/// The stock of one SKU. Version 0 is a SKU that was never stocked: everything is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    pub sku: Sku,
    pub level: StockLevel,
    /// A tree, because a snapshot of few holds must be cheap also after there were many.
    holds: BTreeMap<HoldId, Hold>,
    /// The same holds by their deadline.
    deadlines: BTreeSet<(ShopTime, HoldId)>,
    /// Cancelled orders whose units are back here, while the tables do not know that all of their units are.
    pub(super) restocked: BTreeSet<OrderId>,
}

/// The figures of a SKU. Always `0 <= held <= on_hand`, and `on_hand + sold == stocked`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StockLevel {
    /// Raised by one at each accepted change.
    pub version: u64,
    pub on_hand: i64,
    pub held: i64,
    pub sold: i64,
    /// Everything ever stocked: the sum of all adjustments.
    pub stocked: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub quantity: u32,
    /// A plain hold ends by itself then; a checkout's asks its cart.
    pub deadline: ShopTime,
    /// The cart whose checkout has this hold; none for a plain hold.
    pub checkout: Option<CartId>,
}

impl StockLevel {
    pub const fn available(&self) -> i64 {
        self.on_hand - self.held
    }

    /// What must be true at every instant.
    pub const fn is_sound(&self) -> bool {
        0 <= self.held
            && self.held <= self.on_hand
            && 0 <= self.sold
            && self.on_hand + self.sold == self.stocked
    }
}

impl Stock {
    pub(super) fn never_stocked(sku: Sku) -> Self {
        Self::restore(sku, StockLevel::default(), [])
    }

    /// A stock as a snapshot holds it.
    pub fn restore(sku: Sku, level: StockLevel, holds: impl IntoIterator<Item = (HoldId, Hold)>) -> Self {
        let holds: BTreeMap<_, _> = holds.into_iter().collect();
        let deadlines = holds.iter().map(|(id, hold)| (hold.deadline, *id)).collect();
        Self { sku, level, holds, deadlines, restocked: BTreeSet::new() }
    }

    #[must_use]
    pub fn remembering(mut self, restocked: impl IntoIterator<Item = OrderId>) -> Self {
        self.restocked = restocked.into_iter().collect();
        self
    }

    pub fn restocked(&self) -> impl ExactSizeIterator<Item = OrderId> {
        self.restocked.iter().copied()
    }

    pub fn hold(&self, id: HoldId) -> Option<&Hold> {
        self.holds.get(&id)
    }

    pub fn holds(&self) -> impl ExactSizeIterator<Item = (HoldId, Hold)> {
        self.holds.iter().map(|(id, hold)| (*id, *hold))
    }

    /// The next moment at which a hold ends or asks its cart.
    pub fn earliest_deadline(&self) -> Option<ShopTime> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Holds whose time has come, earliest first.
    pub fn due(&self, now: ShopTime) -> impl Iterator<Item = (HoldId, Hold)> {
        self.deadlines
            .iter()
            .take_while(move |(deadline, _)| *deadline <= now)
            .filter_map(|(_, id)| self.holds.get(id).map(|hold| (*id, *hold)))
    }

    pub(super) fn put_hold(&mut self, id: HoldId, hold: Hold) {
        if let Some(old) = self.holds.insert(id, hold) {
            self.deadlines.remove(&(old.deadline, id));
        }
        self.deadlines.insert((hold.deadline, id));
    }

    pub(super) fn take_hold(&mut self, id: HoldId) -> Option<Hold> {
        let hold = self.holds.remove(&id)?;
        self.deadlines.remove(&(hold.deadline, id));
        Some(hold)
    }

    /// Bytes in memory, about.
    pub fn footprint(&self) -> usize {
        512 + self.holds.len() * 112 + self.restocked.len() * 32
    }
}
