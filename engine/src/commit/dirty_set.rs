//! What is durable in the journal and waits for the tables: one row for each entity, however often it has changed.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use foldhash::fast::RandomState;

use crate::store::{IndexedColumns, Row, TableBatch};
use smartcart_domain::{
    cart::CartEvent,
    change::{Change, EntityKey, Subject},
    entry::{Entry as JournalEntry, Lane, Watermark},
    id::IncarnationId,
    limits::SHARDS,
    orders::Order,
    shard::ShardId,
    snapshot::Snapshot,
    time::ShopTime,
};

pub(super) type Rows = HashMap<EntityKey, Arc<Row>, RandomState>;

/// The entities that the tables have not got as they are now. Each entity's rows lie in up to three places, oldest first:
/// in `flushing`, what a flush is writing; in `urgent`, what is written out of turn meanwhile; and in `gathering`, what has
/// come since. Whoever writes says when it is done. Rows of a write that has not ended stay, and the next `begin` merges
/// them under the newer ones, so that no row ever lacks a change between two that it has.
#[derive(Debug)]
pub(super) struct DirtySet {
    incarnation: IncarnationId,
    gathering: Gathered,
    flushing: Arc<Rows>,
    /// Bytes of the rows in `flushing`, about.
    flushing_bytes: usize,
    flushing_orders: Vec<Arc<Order>>,
    /// Of the rows in `flushing`: the tables have had a later one since, out of turn.
    superseded: HashSet<EntityKey>,
    urgent: Gathered,
    /// The last entry of each lane that is in here or in the tables.
    taken: HashMap<Lane, u64>,
    /// Entries that the tables have not got.
    pub(super) entries: u64,
    pub(super) shop: ShopTime,
    generations: Generations,
}

/// Rows with the orders that were placed with them.
#[derive(Debug, Default)]
struct Gathered {
    rows: Rows,
    orders: Vec<Arc<Order>>,
    bytes: usize,
}

impl Gathered {
    fn remove(&mut self, entity: &EntityKey) -> Option<Arc<Row>> {
        let row = self.rows.remove(entity)?;
        self.bytes -= row.footprint();
        Some(row)
    }

    fn insert(&mut self, row: Arc<Row>) {
        self.bytes += row.footprint();
        if let Some(replaced) = self.rows.insert(row.entity.clone(), row) {
            self.bytes -= replaced.footprint();
        }
    }
}

/// Numbers every begin: only the last one can be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Generations {
    flushes: u64,
    urgent: u64,
}

/// A flush: everything that was gathered, and how far it brings the tables.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) rows: Arc<Rows>,
    pub(super) orders: Vec<Arc<Order>>,
    pub(super) watermarks: Vec<Watermark>,
    pub(super) shop: ShopTime,
    pub(super) entries: u64,
    number: u64,
}

/// Some entities' rows, written out of turn.
#[derive(Debug)]
pub(super) struct UrgentFlush {
    pub(super) batch: TableBatch,
    number: u64,
}

impl DirtySet {
    pub(super) fn new(incarnation: IncarnationId, shop: ShopTime) -> Self {
        Self {
            incarnation,
            gathering: Gathered::default(),
            flushing: Arc::default(),
            flushing_bytes: 0,
            flushing_orders: Vec::new(),
            superseded: HashSet::new(),
            urgent: Gathered::default(),
            taken: HashMap::new(),
            entries: 0,
            shop,
            generations: Generations::default(),
        }
    }

    pub(super) fn take(&mut self, entry: JournalEntry, rows: Vec<(IndexedColumns, Option<Snapshot>)>) {
        self.taken.insert(entry.lane, entry.sequence);
        self.entries += 1;
        self.shop = self.shop.max(entry.shop);
        for (change, (columns, snapshot)) in entry.changes.into_iter().zip(rows) {
            self.gathering.orders.extend(placed_orders(&change));
            self.gather(change, columns, snapshot);
        }
    }

    fn gather(&mut self, change: Change, columns: IndexedColumns, snapshot: Option<Snapshot>) {
        let entity = change.entity();
        let version = change.version;
        let row = match self.gathering.rows.entry(entity.clone()) {
            Entry::Occupied(there) => {
                let there = there.into_mut();
                self.gathering.bytes -= there.footprint();
                there
            }
            Entry::Vacant(place) => {
                let columns = columns.clone();
                place.insert(Arc::new(Row { entity, version, columns, snapshot: None, tail: Vec::new() }))
            }
        };
        // Shared only with a load that is putting the entity together at this moment.
        let row = Arc::make_mut(row);
        row.version = version;
        row.columns = columns;
        match snapshot {
            Some(snapshot) => {
                row.snapshot = Some(snapshot);
                row.tail.clear();
            }
            None => row.tail.push(change),
        }
        self.gathering.bytes += row.footprint();
    }

    /// Bytes in memory, about.
    pub(super) const fn bytes(&self) -> usize {
        self.gathering.bytes + self.urgent.bytes + self.flushing_bytes
    }

    /// Rows that wait: an entity's may lie in more than one place.
    pub(super) fn len(&self) -> usize {
        self.gathering.rows.len() + self.urgent.rows.len() + self.flushing.len()
    }

    /// An entity's row in the flush, unless the tables have had a later one since.
    fn flushing(&self, entity: &EntityKey) -> Option<&Arc<Row>> {
        self.flushing.get(entity).filter(|_| !self.superseded.contains(entity))
    }

    pub(super) fn has(&self, entity: &EntityKey) -> bool {
        self.gathering.rows.contains_key(entity)
            || self.urgent.rows.contains_key(entity)
            || self.flushing(entity).is_some()
    }

    /// Entities of some shards that wait.
    pub(super) fn in_shards(&self, shards: &[ShardId]) -> Vec<EntityKey> {
        // The lanes wait: one look for each row, however many shards.
        let mut wanted = [false; SHARDS as usize];
        for shard in shards {
            wanted[usize::from(shard.0)] = true;
        }
        [&*self.flushing, &self.urgent.rows, &self.gathering.rows]
            .into_iter()
            .flat_map(|rows| rows.keys().filter(|entity| wanted[usize::from(entity.shard().0)]).cloned())
            .collect()
    }

    /// An entity's rows, oldest first.
    pub(super) fn of(&self, entity: &EntityKey) -> Vec<Arc<Row>> {
        [self.flushing(entity), self.urgent.rows.get(entity), self.gathering.rows.get(entity)]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Begins a flush of everything that waits, with the rows of a flush that has not ended. The lanes wait meanwhile; it
    /// takes the same time however much there is, unless a flush has not ended.
    pub(super) fn begin(&mut self) -> Flush {
        let room = self.gathering.rows.len();
        let empty = Rows::with_capacity_and_hasher(room, RandomState::default());
        let gathered =
            std::mem::replace(&mut self.gathering, Gathered { rows: empty, ..Gathered::default() });
        self.flushing_bytes = gathered.bytes;
        self.flushing_orders.append(&mut self.urgent.orders);
        self.flushing_orders.extend(gathered.orders);
        self.flushing = Arc::new(self.unfinished(gathered.rows));
        self.generations.flushes += 1;
        let watermarks = self
            .taken
            .iter()
            .map(|(lane, sequence)| Watermark {
                incarnation: self.incarnation,
                lane: *lane,
                sequence: *sequence,
            })
            .collect();
        Flush {
            rows: self.flushing.clone(),
            orders: self.flushing_orders.clone(),
            watermarks,
            shop: self.shop,
            entries: self.entries,
            number: self.generations.flushes,
        }
    }

    /// The rows of writes that have not ended, merged under the newer ones.
    fn unfinished(&mut self, mut newer: Rows) -> Rows {
        let urgent = std::mem::take(&mut self.urgent);
        let flushing = std::mem::take(&mut self.flushing);
        let superseded = std::mem::take(&mut self.superseded);
        // An urgent row has what was being flushed of its entity.
        let older = flushing
            .values()
            .filter(|row| !superseded.contains(&row.entity) && !urgent.rows.contains_key(&row.entity));
        for older in older.chain(urgent.rows.values()) {
            let row = match newer.remove(&older.entity) {
                Some(newer) => {
                    self.flushing_bytes -= newer.footprint();
                    Arc::new(Arc::unwrap_or_clone(newer).after(older))
                }
                None => older.clone(),
            };
            self.flushing_bytes += row.footprint();
            newer.insert(row.entity.clone(), row);
        }
        newer
    }

    /// The flush is in the tables. Its rows go with it, when the lanes no longer wait. Nothing happens when another one
    /// was begun since: that one has these rows too.
    pub(super) fn end(&mut self, flush: &Flush) {
        if flush.number != self.generations.flushes {
            return;
        }
        self.flushing = Arc::default();
        self.flushing_bytes = 0;
        self.flushing_orders.clear();
        self.superseded.clear();
        self.entries -= flush.entries;
        // From now on this flush is not the last one any more: ending it again does nothing.
        self.generations.flushes += 1;
    }

    /// Takes some entities' rows out of turn, with all orders that wait, and with the rows of an earlier urgent flush that
    /// has not ended.
    pub(super) fn begin_urgent(&mut self, entities: &HashSet<EntityKey>) -> UrgentFlush {
        for entity in entities {
            let newer = self.gathering.remove(entity);
            let older = match self.urgent.remove(entity) {
                None => self.flushing(entity).cloned(),
                urgent => urgent,
            };
            let row = match (older, newer) {
                (None, None) => continue,
                (Some(older), Some(newer)) => Arc::new(Arc::unwrap_or_clone(newer).after(&older)),
                (Some(row), None) | (None, Some(row)) => row,
            };
            self.urgent.insert(row);
        }
        self.urgent.orders.append(&mut self.gathering.orders);
        self.generations.urgent += 1;
        UrgentFlush {
            batch: TableBatch {
                rows: self.urgent.rows.values().cloned().collect(),
                orders: self.urgent.orders.clone(),
                watermarks: Vec::new(),
                shop: self.shop,
            },
            number: self.generations.urgent,
        }
    }

    /// The tables have it. Later rows of the same entities follow it, whatever the flush under way still writes of them.
    pub(super) fn end_urgent(&mut self, flush: &UrgentFlush) {
        if flush.number != self.generations.urgent {
            return;
        }
        let written = std::mem::take(&mut self.urgent);
        self.superseded.extend(written.rows.into_keys().filter(|entity| self.flushing.contains_key(entity)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.gathering.rows.is_empty() && self.flushing.is_empty() && self.entries == 0
    }
}

pub(super) fn placed_orders(change: &Change) -> impl Iterator<Item = Arc<Order>> + use<'_> {
    let events = match &change.subject {
        Subject::Cart(_, events) => events.as_slice(),
        Subject::Stock(..) => &[],
    };
    events.iter().filter_map(|event| match event {
        CartEvent::CheckoutPlaced { order } => Some(order.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
