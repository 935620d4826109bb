use std::sync::Arc;

use super::{Change, EntityKey, Lane};
use crate::{
    cart::Cart,
    entity::Entity as _,
    id::IncarnationId,
    idempotency::KeyRecord,
    inventory::{Stock, StockLevel},
    orders::Order,
    time::{ShopTime, Timestamp},
};

/// A whole entity as the tables keep it.
#[derive(Debug, Clone)]
pub enum Image {
    Cart(CartImage),
    Stock(StockImage),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartImage {
    pub cart: Arc<Cart>,
    /// Oldest first.
    pub keys: Vec<KeyRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockImage {
    pub stock: Stock,
    /// Oldest first.
    pub keys: Vec<KeyRecord>,
}

/// The columns of an entity that SQL can read; always those of the row's last version.
#[derive(Debug, Clone)]
pub enum Header {
    Cart(Arc<Cart>),
    Stock { level: StockLevel, next_deadline: Option<ShopTime> },
}

/// What the tables take of one entity in one flush. With an image, older image and tail are replaced; the tail's
/// changes come after the image, or, without one, after what the tables have. An entity's first row has an image.
#[derive(Debug, Clone)]
pub struct Row {
    pub entity: EntityKey,
    pub version: u64,
    pub header: Header,
    pub image: Option<Image>,
    pub tail: Vec<Change>,
}

impl Image {
    /// Bytes in memory, about.
    fn footprint(&self) -> usize {
        let keys = |keys: &[KeyRecord]| keys.len() * KEY;
        match self {
            Self::Cart(image) => image.cart.footprint() + keys(&image.keys),
            Self::Stock(image) => image.stock.footprint() + keys(&image.keys),
        }
    }
}

/// Bytes in memory, about, of a key, of a change, and of a row without either.
const KEY: usize = 96;
const CHANGE: usize = 256;
const ROW: usize = 256;

impl Row {
    /// Bytes in memory, about.
    pub(super) fn footprint(&self) -> usize {
        ROW + self.image.as_ref().map_or(0, Image::footprint) + self.tail.len() * CHANGE
    }

    /// Where the row lies among others of its kind in a table that keeps them in the order in which they came, about.
    pub(super) fn place(&self) -> Timestamp {
        match &self.header {
            Header::Cart(cart) => cart.created_at,
            Header::Stock { .. } => Timestamp(0),
        }
    }

    /// One row in the place of two of the same entity.
    #[must_use]
    pub(super) fn after(mut self, older: &Self) -> Self {
        if self.image.is_none() {
            self.image.clone_from(&older.image);
            self.tail.splice(0..0, older.tail.iter().cloned());
        }
        self
    }
}

/// How far a lane of a journal is in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    pub incarnation: IncarnationId,
    pub lane: Lane,
    pub sequence: u64,
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
