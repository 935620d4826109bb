//! Whole entities, as the tables keep them.

use std::sync::Arc;

use crate::{cart::Cart, idempotency::KeyRecord, inventory::Stock};

/// A whole entity with the keys that it remembers.
#[derive(Debug, Clone)]
pub enum Snapshot {
    Cart(CartSnapshot),
    Stock(StockSnapshot),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartSnapshot {
    pub cart: Arc<Cart>,
    /// Oldest first.
    pub keys: Vec<KeyRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockSnapshot {
    pub stock: Stock,
    /// Oldest first.
    pub keys: Vec<KeyRecord>,
}

/// Bytes in memory of a key, about.
const KEY: usize = 96;

impl Snapshot {
    /// Bytes in memory, about.
    pub fn footprint(&self) -> usize {
        match self {
            Self::Cart(snapshot) => snapshot.cart.footprint() + snapshot.keys.len() * KEY,
            Self::Stock(snapshot) => snapshot.stock.footprint() + snapshot.keys.len() * KEY,
        }
    }
}
