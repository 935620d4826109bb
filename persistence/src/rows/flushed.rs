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

/// The rows of one flush, in the order of their keys, so that one lookup ends near the next.
#[derive(Default)]
pub(crate) struct RowsByKind<'a> {
    pub(crate) carts: Vec<CartRow<'a>>,
    pub(crate) stock: Vec<StockRow<'a>>,
}

impl<'a> RowsByKind<'a> {
    pub(crate) fn of(rows: &'a [Arc<Row>]) -> Result<Self, StoreError> {
        let mut by_kind = Self::default();
        for row in rows {
            by_kind.add(row)?;
        }
        by_kind.carts.sort_unstable_by_key(|row| row.id);
        by_kind.stock.sort_unstable_by_key(|row| row.sku);
        Ok(by_kind)
    }

    fn add(&mut self, row: &'a Row) -> Result<(), StoreError> {
        let of_two_kinds = || invariant(format!("the row of {} is of two kinds", row.entity));
        let snapshot_version = match &row.entity {
            EntityKey::Cart(id) => {
                let IndexedColumns::Cart(cart) = &row.columns else { return Err(of_two_kinds()) };
                let snapshot = match &row.snapshot {
                    None => None,
                    Some(Snapshot::Cart(snapshot)) => Some(snapshot),
                    Some(Snapshot::Stock(_)) => return Err(of_two_kinds()),
                };
                self.carts.push(CartRow { id: *id, row, cart, snapshot });
                snapshot.map(|snapshot| snapshot.cart.version)
            }
            EntityKey::Stock(sku) => {
                let IndexedColumns::Stock { level, next_deadline } = &row.columns else {
                    return Err(of_two_kinds());
                };
                let snapshot = match &row.snapshot {
                    None => None,
                    Some(Snapshot::Stock(snapshot)) => Some(snapshot),
                    Some(Snapshot::Cart(_)) => return Err(of_two_kinds()),
                };
                self.stock.push(StockRow { sku, row, level, next_deadline: *next_deadline, snapshot });
                snapshot.map(|snapshot| snapshot.stock.level.version)
            }
        };
        if is_whole(row, snapshot_version) {
            return Ok(());
        }
        Err(invariant(format!("the row of {} has a gap before version {}", row.entity, row.version)))
    }
}

/// Snapshot and tail lead, version by version, to the row's.
fn is_whole(row: &Row, snapshot_version: Option<u64>) -> bool {
    let Some(start) = snapshot_version.or_else(|| row.tail.first()?.version.checked_sub(1)) else {
        return false;
    };
    (start + 1..).zip(&row.tail).all(|(version, change)| change.version == version)
        && row.version == row.tail.last().map_or(start, |change| change.version)
}

pub(crate) fn invariant(what: String) -> StoreError {
    StoreError::Conflict(Conflict::Invariant(what))
}
