use std::fmt;

use crate::{
    cart::CartEvent,
    id::{CartId, Sku},
    idempotency::KeyRecord,
    inventory::StockEvent,
    shard::ShardId,
    time::{ShopTime, Timestamp},
};

/// What one accepted command did to one entity: the unit of the journal. `version` is the entity's version after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub subject: Subject,
    pub version: u64,
    pub wall: Timestamp,
    pub shop: ShopTime,
    pub key: Option<KeyRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Cart(CartId, Vec<CartEvent>),
    Stock(Sku, Vec<StockEvent>),
}

/// Names an entity of any kind. What does something for every kind goes through [`EntityKind`] and matches without a wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, strum::EnumDiscriminants)]
#[strum_discriminants(name(EntityKind), derive(strum::VariantArray), doc = "The kinds of entities.")]
pub enum EntityKey {
    Cart(CartId),
    Stock(Sku),
}

impl EntityKey {
    pub fn shard(&self) -> ShardId {
        match self {
            Self::Cart(id) => ShardId::of(&id.0.to_be_bytes()),
            Self::Stock(sku) => ShardId::of(sku.as_str().as_bytes()),
        }
    }
}

impl EntityKey {
    /// For consoles: a cart's whole id would open a guest's cart.
    pub fn shown(&self) -> String {
        match self {
            Self::Cart(id) => format!("{}…", &id.to_string()[..8]),
            Self::Stock(sku) => sku.to_string(),
        }
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cart(id) => write!(f, "cart {id}"),
            Self::Stock(sku) => write!(f, "stock {sku}"),
        }
    }
}

impl Change {
    pub fn entity(&self) -> EntityKey {
        match &self.subject {
            Subject::Cart(id, _) => EntityKey::Cart(*id),
            Subject::Stock(sku, _) => EntityKey::Stock(sku.clone()),
        }
    }
}
