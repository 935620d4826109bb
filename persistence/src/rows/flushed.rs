//! What a flush brings, by table.

use std::sync::Arc;

use smartcart_domain::{
    cart::Cart,
    change::EntityKey,
    id::{CartId, Sku},
    inventory::StockLevel,
    snapshot::{CartSnapshot, Snapshot, StockSnapshot},
    time::ShopTime,
};
use smartcart_engine::store::{Conflict, IndexedColumns, Row, StoreError};

pub(crate) struct CartRow<'a> {
    pub(crate) id: CartId,
    pub(crate) row: &'a Row,
    pub(crate) cart: &'a Cart,
    pub(crate) snapshot: Option<&'a CartSnapshot>,
}

pub(crate) struct StockRow<'a> {
    pub(crate) sku: &'a Sku,
    pub(crate) row: &'a Row,
    pub(crate) level: &'a StockLevel,
    pub(crate) next_deadline: Option<ShopTime>,
    pub(crate) snapshot: Option<&'a StockSnapshot>,
}

pub(crate) fn by_kind(rows: &[Arc<Row>]) -> Result<(Vec<CartRow<'_>>, Vec<StockRow<'_>>), StoreError> {
    let (mut carts, mut stock) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows.iter().map(AsRef::as_ref) {
        let image_version = match (&row.entity, &row.columns, &row.snapshot) {
            (EntityKey::Cart(id), IndexedColumns::Cart(cart), None) => {
                carts.push(CartRow { id: *id, row, cart, snapshot: None });
                None
            }
            (EntityKey::Cart(id), IndexedColumns::Cart(cart), Some(Snapshot::Cart(snapshot))) => {
                carts.push(CartRow { id: *id, row, cart, snapshot: Some(snapshot) });
                Some(snapshot.cart.version)
            }
            (EntityKey::Stock(sku), IndexedColumns::Stock { level, next_deadline }, None) => {
                stock.push(StockRow { sku, row, level, next_deadline: *next_deadline, snapshot: None });
                None
            }
            (
                EntityKey::Stock(sku),
                IndexedColumns::Stock { level, next_deadline },
                Some(Snapshot::Stock(snapshot)),
            ) => {
                stock.push(StockRow {
                    sku,
                    row,
                    level,
                    next_deadline: *next_deadline,
                    snapshot: Some(snapshot),
                });
                Some(snapshot.stock.level.version)
            }
            _ => return Err(invariant(format!("the row of {} is of two kinds", row.entity))),
        };
        if !is_whole(row, image_version) {
            return Err(invariant(format!(
                "the row of {} has a gap before version {}",
                row.entity, row.version
            )));
        }
    }
    // In the order of their keys, so that one lookup ends near the next.
    carts.sort_unstable_by_key(|row| row.id);
    stock.sort_unstable_by_key(|row| row.sku);
    Ok((carts, stock))
}

/// Snapshot and tail lead, version by version, to the row's.
fn is_whole(row: &Row, image_version: Option<u64>) -> bool {
    let Some(start) = image_version.or_else(|| row.tail.first()?.version.checked_sub(1)) else {
        return false;
    };
    (start + 1..).zip(&row.tail).all(|(version, change)| change.version == version)
        && row.version == row.tail.last().map_or(start, |change| change.version)
}

pub(crate) fn invariant(what: String) -> StoreError {
    StoreError::Conflict(Conflict::Invariant(what))
}
