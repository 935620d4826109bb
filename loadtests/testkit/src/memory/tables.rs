//! The tables' rows, and what one transaction may do with them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use smartcart_domain::{
    catalog::Product,
    change::{Change, EntityKey},
    entry::{Lane, Watermark},
    id::{CartId, IdSecret, IncarnationId, OrderId, ProductId, SessionId, Sku, UserId},
    limits::KEY_RETENTION,
    orders::Order,
    snapshot::Snapshot,
    time::{ShopTime, millis},
    users::{Address, Session, User},
};
use smartcart_engine::store::{Conflict, IndexedColumns, Row, StoreError, TableBatch, TableKey};

#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) entities: BTreeMap<EntityKey, EntityRow>,
    pub(super) orders: BTreeMap<OrderId, OrderRow>,
    pub(super) watermarks: BTreeMap<(IncarnationId, Lane), u64>,
    pub(super) secret: Option<IdSecret>,
    pub(super) catalog_generation: u64,
    pub(super) products: BTreeMap<ProductId, Product>,
    /// The last version of each that was deleted.
    pub(super) deleted_products: BTreeMap<ProductId, u64>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// In the order in which they were entered.
    pub(super) addresses: Vec<Address>,
    keys: HashMap<u128, KeyRow>,
}

#[derive(Debug, Clone)]
pub(super) struct EntityRow {
    pub(super) version: u64,
    pub(super) columns: IndexedColumns,
    pub(super) snapshot: Snapshot,
    /// What leads from the snapshot to the version.
    pub(super) tail: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(super) struct OrderRow {
    pub(super) order: Order,
    pub(super) restock_due: bool,
    pub(super) restock_at: ShopTime,
    pub(super) restock_tries: u32,
    pub(super) units_returned: bool,
}

impl OrderRow {
    fn placed(order: &Order) -> Self {
        Self {
            order: order.clone(),
            restock_due: false,
            restock_at: ShopTime(0),
            restock_tries: 0,
            units_returned: false,
        }
    }
}

/// What the answer to a key's change was about.
#[derive(Debug, Clone)]
pub(super) enum KeySubject {
    Product(Product),
    ProductGone,
    Order(OrderId),
    User(UserId),
    Session(SessionId),
    Address(Address),
    AddressGone,
}

#[derive(Debug, Clone)]
struct KeyRow {
    request: u64,
    at: i64,
    subject: KeySubject,
}

pub(super) fn invariant(what: String) -> StoreError {
    StoreError::Conflict(Conflict::Invariant(what))
}

fn version_of(snapshot: &Snapshot) -> u64 {
    match snapshot {
        Snapshot::Cart(snapshot) => snapshot.cart.version,
        Snapshot::Stock(snapshot) => snapshot.stock.level.version,
    }
}

/// What a row must be, whatever the tables have.
fn check(row: &Row) -> Result<(), StoreError> {
    let of_one_kind = matches!(
        (&row.entity, &row.columns, &row.snapshot),
        (EntityKey::Cart(_), IndexedColumns::Cart(_), None | Some(Snapshot::Cart(_)))
            | (EntityKey::Stock(_), IndexedColumns::Stock { .. }, None | Some(Snapshot::Stock(_)))
    );
    if !of_one_kind {
        return Err(invariant(format!("the row of {} is of two kinds", row.entity)));
    }
    let before_tail = row.tail.first().and_then(|change| change.version.checked_sub(1));
    let whole = row.snapshot.as_ref().map(version_of).or(before_tail).is_some_and(|start| {
        let follows = (start + 1..).zip(&row.tail).all(|(version, change)| change.version == version);
        follows && row.version == start + row.tail.len() as u64
    });
    if !whole {
        return Err(invariant(format!("the row of {} has a gap before version {}", row.entity, row.version)));
    }
    match &row.columns {
        IndexedColumns::Stock { level, .. } if !level.is_sound() => {
            Err(invariant(format!("the stock of {} does not add up: {level:?}", row.entity)))
        }
        IndexedColumns::Stock { .. } | IndexedColumns::Cart(_) => Ok(()),
    }
}

impl Tables {
    /// All or nothing.
    pub(super) fn flush(&mut self, batch: &TableBatch) -> Result<(), StoreError> {
        for row in &batch.rows {
            check(row)?;
            let version = self.entities.get(&row.entity).map_or(0, |known| known.version);
            let first = row.tail.first().map_or(row.version, |change| change.version);
            if row.snapshot.is_none() && version + 1 < first {
                let what = format!("{}: changes to version {} do not follow", row.entity, row.version);
                return Err(invariant(what));
            }
        }
        for row in &batch.rows {
            self.put(row);
        }
        for order in &batch.orders {
            let row = || OrderRow::placed(order);
            self.orders.entry(order.id).or_insert_with(row);
        }
        for Watermark { incarnation, lane, sequence } in &batch.watermarks {
            let known = self.watermarks.entry((*incarnation, *lane)).or_default();
            *known = (*known).max(*sequence);
        }
        Ok(())
    }

    /// Only over a lower version.
    fn put(&mut self, row: &Arc<Row>) {
        match (self.entities.get_mut(&row.entity), &row.snapshot) {
            (Some(known), _) if known.version >= row.version => {}
            (known, Some(snapshot)) => {
                let start = version_of(snapshot);
                let mut tail = known.map_or_else(Vec::new, |known| std::mem::take(&mut known.tail));
                tail.retain(|change| change.version > start);
                follow(&mut tail, start, &row.tail);
                let row_now = EntityRow {
                    version: row.version,
                    columns: row.columns.clone(),
                    snapshot: snapshot.clone(),
                    tail,
                };
                self.entities.insert(row.entity.clone(), row_now);
            }
            (Some(known), None) => {
                follow(&mut known.tail, known.version, &row.tail);
                (known.version, known.columns) = (row.version, row.columns.clone());
            }
            // `flush` has refused it.
            (None, None) => {}
        }
    }

    pub(super) fn cart(&self, id: CartId) -> Option<&EntityRow> {
        self.entities.get(&EntityKey::Cart(id))
    }

    pub(super) fn stock(&self, sku: &Sku) -> Option<&EntityRow> {
        self.entities.get(&EntityKey::Stock(sku.clone()))
    }

    /// What a key's change was about, when it was made before.
    pub(super) fn seen(&self, key: Option<TableKey>) -> Result<Option<KeySubject>, StoreError> {
        let Some(TableKey { guard, now }) = key else { return Ok(None) };
        let forgotten = now.0.saturating_sub(millis(KEY_RETENTION));
        match self.keys.get(&guard.key).filter(|row| row.at > forgotten) {
            Some(row) if row.request != guard.request => Err(StoreError::KeyReused),
            known => Ok(known.map(|row| row.subject.clone())),
        }
    }

    pub(super) fn remember(&mut self, key: Option<TableKey>, subject: KeySubject) {
        if let Some(TableKey { guard, now }) = key {
            self.keys.insert(guard.key, KeyRow { request: guard.request, at: now.0, subject });
        }
    }
}

/// Tails of flushes may overlap.
fn follow(tail: &mut Vec<Change>, start: u64, more: &[Change]) {
    let last = tail.last().map_or(start, |change| change.version);
    tail.extend(more.iter().filter(|change| change.version > last).cloned());
}
