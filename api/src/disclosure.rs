//! What everybody is told of a stock. What the shop has, and what sells, is its own affair.

/// How much everybody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disclosure {
    /// Units: more are told as so many.
    pub up_to: i64,
    /// Units at which a SKU is low.
    pub low: i64,
}

impl Disclosure {
    /// What is told of so many units.
    pub fn of(self, available: i64) -> i64 {
        available.min(self.up_to)
    }
}
