//! Snapshots and changes, as the tables keep them.

use smartcart_domain::{
    change::Change,
    snapshot::{CartSnapshot, StockSnapshot},
};

use crate::{
    malformed::Malformed,
    v1,
    version::{unversioned, versioned},
};

pub fn encode_cart_snapshot(snapshot: &CartSnapshot) -> Vec<u8> {
    versioned(&v1::cart::CartSnapshot::from(snapshot))
}

pub fn decode_cart_snapshot(bytes: &[u8]) -> Result<CartSnapshot, Malformed> {
    unversioned::<v1::cart::CartSnapshot>(bytes)?.try_into()
}

pub fn encode_stock_snapshot(snapshot: &StockSnapshot) -> Vec<u8> {
    versioned(&v1::stock::StockSnapshot::from(snapshot))
}

pub fn decode_stock_snapshot(bytes: &[u8]) -> Result<StockSnapshot, Malformed> {
    unversioned::<v1::stock::StockSnapshot>(bytes)?.try_into()
}

/// Some changes of one entity, in order.
pub fn encode_changes(changes: &[Change]) -> Vec<u8> {
    versioned(&v1::change::Changes { changes: changes.iter().map(Into::into).collect() })
}

pub fn decode_changes(bytes: &[u8]) -> Result<Vec<Change>, Malformed> {
    unversioned::<v1::change::Changes>(bytes)?.changes.into_iter().map(TryInto::try_into).collect()
}
