//! What columns hold: ids are 16 bytes big-endian, unsigned numbers are stored as the `i64` of the same bits.

use smartcart_domain::{entry::Lane, id::Sku};
use smartcart_engine::store::StoreError;

pub(crate) fn id_bytes(id: u128) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

pub(crate) fn id_of(bytes: &[u8]) -> Result<u128, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::Corrupt("an id is not 16 bytes".to_owned()))?;
    Ok(u128::from_be_bytes(bytes))
}

/// A column of ids.
pub(crate) fn ids_of<T>(column: &[Vec<u8>], id: impl Fn(u128) -> T) -> Result<Vec<T>, StoreError> {
    column.iter().map(|bytes| id_of(bytes).map(&id)).collect()
}

/// A column of SKUs.
pub(crate) fn skus_of(column: Vec<String>) -> Result<Vec<Sku>, StoreError> {
    let sku = |text: String| text.parse().map_err(|_| StoreError::Corrupt(format!("'{text}' is not a SKU")));
    column.into_iter().map(sku).collect()
}

/// PostgreSQL has no unsigned numbers.
pub(crate) const fn lane_column(lane: Lane) -> i16 {
    lane.0.cast_signed()
}

pub(crate) const fn lane_of(column: i16) -> Lane {
    Lane(column.cast_unsigned())
}

pub(crate) const fn signed(number: u64) -> i64 {
    number.cast_signed()
}

pub(crate) const fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

pub(crate) fn limit_of(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
