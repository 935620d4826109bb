//! Why a checkout may end without an order.

use crate::{id::Sku, money::Currency};

/// Why a checkout that began was given up. Durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AbortReason {
    InsufficientStock(Vec<Shortage>),
    PaymentDeclined {
        reason: String,
    },
    /// The gateway gave no answer. Nothing was charged.
    PaymentUnavailable {
        reason: String,
    },
    /// Something else that it needs, a SKU's owner, gave no answer in time. Nothing was charged.
    Unavailable {
        reason: String,
    },
}

impl AbortReason {
    /// Whether the key answers the same again. What was only out of reach may be there at the next attempt.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::InsufficientStock(_) | Self::PaymentDeclined { .. } => true,
            Self::PaymentUnavailable { .. } | Self::Unavailable { .. } => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    pub sku: Sku,
    pub requested: u32,
    pub available: i64,
}

/// A line whose price is not the one the shopper saw, in minor units of the cart's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    pub sku: Sku,
    pub was: i64,
    pub now: i64,
}

/// Why what would be charged is not what the shopper has seen or agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPrices {
    pub changes: Vec<PriceChange>,
    pub total: TotalChange,
}

/// What the cart showed, and what would be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TotalChange {
    pub currency: Currency,
    pub was: i64,
    pub now: i64,
}

/// A line that is no longer sold, or not in the cart's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    pub sku: Sku,
    /// The price that the shopper saw, in minor units.
    pub was: i64,
}
