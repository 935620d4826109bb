//! What a flush brings to the tables.

use std::sync::Arc;

use smartcart_domain::{
    cart::Cart,
    change::{Change, EntityKey},
    entry::Watermark,
    inventory::StockLevel,
    orders::Order,
    snapshot::Snapshot,
    time::{ShopTime, Timestamp},
};

/// The columns of an entity that SQL can read; always those of the row's last version.
#[derive(Debug, Clone)]
pub enum IndexedColumns {
    Cart(Arc<Cart>),
    Stock { level: StockLevel, next_deadline: Option<ShopTime> },
}

/// What the tables take of one entity in one flush. With a snapshot, older snapshot and tail are replaced; the
/// tail's changes come after the snapshot, or, without one, after what the tables have. An entity's first row has a snapshot.
#[derive(Debug, Clone)]
pub struct Row {
    pub entity: EntityKey,
    pub version: u64,
    pub columns: IndexedColumns,
    pub snapshot: Option<Snapshot>,
    pub tail: Vec<Change>,
}

/// Bytes in memory, about, of a change, and of a row without either.
const CHANGE: usize = 256;
const ROW: usize = 256;

impl Row {
    /// Bytes in memory, about.
    pub(crate) fn footprint(&self) -> usize {
        ROW + self.snapshot.as_ref().map_or(0, Snapshot::footprint) + self.tail.len() * CHANGE
    }

    /// Where the row lies among others of its kind in a table that keeps them in the order in which they came, about.
    pub(crate) fn place(&self) -> Timestamp {
        match &self.columns {
            IndexedColumns::Cart(cart) => cart.created_at,
            IndexedColumns::Stock { .. } => Timestamp(0),
        }
    }

    /// One row in the place of two of the same entity.
    #[must_use]
    pub(crate) fn after(mut self, older: &Self) -> Self {
        if self.snapshot.is_none() {
            self.snapshot.clone_from(&older.snapshot);
            self.tail.splice(0..0, older.tail.iter().cloned());
        }
        self
    }
}

/// One transaction of the tables: rows only over lower versions, orders only where there is none of that id.
#[derive(Debug, Clone, Default)]
pub struct TableBatch {
    pub rows: Vec<Arc<Row>>,
    pub orders: Vec<Arc<Order>>,
    pub watermarks: Vec<Watermark>,
    /// The last shop time known durable.
    pub shop: ShopTime,
}
