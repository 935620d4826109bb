//! Why a checkout may end without an order.

use crate::id::Sku;

/// Why a checkout that began was given up. Durable: the same key answers the same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AbortReason {
    InsufficientStock(Vec<Shortage>),
    PaymentDeclined { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    pub sku: Sku,
    pub requested: u32,
    pub available: i64,
}

/// A line whose price is not the one the shopper saw. `now` is nothing when it is no longer sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    pub sku: Sku,
    pub was: i64,
    pub now: Option<i64>,
}
