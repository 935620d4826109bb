//! What is durable in the journal and waits for the tables: one row for each entity, however often it has changed.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use foldhash::fast::RandomState;

use crate::store::{IndexedColumns, Row, TableBatch};
use smartcart_domain::{change::{Change, EntityKey, Subject}, entry::{Entry as JournalEntry, Watermark}, snapshot::Snapshot};
use smartcart_domain::{cart::CartEvent, id::IncarnationId, orders::Order, shard::ShardId, time::ShopTime};

pub(super) type Rows = HashMap<EntityKey, Arc<Row>, RandomState>;

/// Rows in the order in which the tables must take them: `urgent` and `flushing` are being written, `gathering` grows.
#[derive(Debug)]
pub(super) struct Waiting {
    incarnation: IncarnationId,
    gathering: Rows,
    /// Bytes of what gathers, about, and of what is being written.
    gathered: usize,
    flushed: usize,
    orders: Vec<Arc<Order>>,
    flushing: Arc<Rows>,
    urgent: Rows,
    /// The last entry of each lane that is in here or in the tables.
    taken: HashMap<super::Lane, u64>,
    /// Entries that the tables have not got.
    pub(super) entries: u64,
    pub(super) shop: ShopTime,
}

/// A flush: everything that was gathered, and how far it brings the tables.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) rows: Arc<Rows>,
    pub(super) orders: Vec<Arc<Order>>,
    pub(super) watermarks: Vec<Watermark>,
    pub(super) shop: ShopTime,
    pub(super) entries: u64,
}

impl Waiting {
    pub(super) fn new(incarnation: IncarnationId, shop: ShopTime) -> Self {
        Self {
            incarnation,
            gathering: Rows::default(),
            gathered: 0,
            flushed: 0,
            orders: Vec::new(),
            flushing: Arc::default(),
            urgent: Rows::default(),
            taken: HashMap::new(),
            entries: 0,
            shop,
        }
    }

    pub(super) fn take(&mut self, entry: JournalEntry, rows: Vec<(IndexedColumns, Option<Snapshot>)>) {
        self.taken.insert(entry.lane, entry.sequence);
        self.entries += 1;
        self.shop = self.shop.max(entry.shop);
        for (change, (header, image)) in entry.changes.into_iter().zip(rows) {
            self.orders.extend(placed_orders(&change));
            self.gather(change, header, image);
        }
    }

    fn gather(&mut self, change: Change, header: IndexedColumns, image: Option<Snapshot>) {
        let entity = change.entity();
        let version = change.version;
        let row = match self.gathering.entry(entity.clone()) {
            Entry::Occupied(there) => {
                let there = there.into_mut();
                self.gathered -= there.footprint();
                there
            }
            Entry::Vacant(place) => {
                let header = header.clone();
                place.insert(Arc::new(Row { entity, version, header, image: None, tail: Vec::new() }))
            }
        };
        // Shared only with a load that is putting the entity together at this moment.
        let row = Arc::make_mut(row);
        row.version = version;
        row.header = header;
        match image {
            Some(image) => {
                row.image = Some(image);
                row.tail.clear();
            }
            None => row.tail.push(change),
        }
        self.gathered += row.footprint();
    }

    /// Bytes in memory, about.
    pub(super) const fn bytes(&self) -> usize {
        self.gathered + self.flushed
    }

    /// Entities that wait.
    pub(super) fn len(&self) -> usize {
        self.gathering.len() + self.flushing.len()
    }

    pub(super) fn has(&self, entity: &EntityKey) -> bool {
        self.gathering.contains_key(entity)
            || self.flushing.contains_key(entity)
            || self.urgent.contains_key(entity)
    }

    /// Entities of some shards that wait.
    pub(super) fn in_shards(&self, shards: &[ShardId]) -> Vec<EntityKey> {
        [&*self.flushing, &self.urgent, &self.gathering]
            .into_iter()
            .flat_map(|rows| rows.keys().filter(|entity| shards.contains(&entity.shard())).cloned())
            .collect()
    }

    /// An entity's rows, oldest first.
    pub(super) fn of(&self, entity: &EntityKey) -> Vec<Arc<Row>> {
        [&*self.flushing, &self.urgent, &self.gathering]
            .into_iter()
            .filter_map(|rows| rows.get(entity).cloned())
            .collect()
    }

    /// Begins a flush of everything gathered so far. There is none under way. Takes no longer the more there is: the
    /// lanes wait meanwhile.
    pub(super) fn begin(&mut self) -> Flush {
        let room = self.gathering.len();
        self.flushed = std::mem::take(&mut self.gathered);
        self.flushing = Arc::new(std::mem::replace(
            &mut self.gathering,
            Rows::with_capacity_and_hasher(room, RandomState::default()),
        ));
        let watermarks = self
            .taken
            .iter()
            .map(|(lane, sequence)| Watermark {
                incarnation: self.incarnation,
                lane: *lane,
                sequence: *sequence,
            })
            .collect();
        let orders = std::mem::take(&mut self.orders);
        Flush { rows: self.flushing.clone(), orders, watermarks, shop: self.shop, entries: self.entries }
    }

    /// The flush is in the tables. Its rows go with it, when the lanes no longer wait.
    pub(super) fn end(&mut self, flush: &Flush) {
        self.flushing = Arc::default();
        self.flushed = 0;
        self.entries -= flush.entries;
    }

    /// Takes some entities' rows out of their turn, with all orders that wait.
    pub(super) fn begin_urgent(&mut self, entities: &HashSet<EntityKey>) -> TableBatch {
        for entity in entities {
            let gathered = self.gathering.remove(entity);
            self.gathered -= gathered.as_ref().map_or(0, |row| row.footprint());
            let row = match (self.flushing.get(entity), gathered) {
                (None, None) => continue,
                (Some(flushing), None) => flushing.clone(),
                (Some(flushing), Some(newer)) => Arc::new(Arc::unwrap_or_clone(newer).after(flushing)),
                (None, Some(newer)) => newer,
            };
            self.urgent.insert(entity.clone(), row);
        }
        TableBatch {
            rows: self.urgent.values().cloned().collect(),
            orders: std::mem::take(&mut self.orders),
            watermarks: Vec::new(),
            shop: self.shop,
        }
    }

    pub(super) fn end_urgent(&mut self) {
        self.urgent.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.gathering.is_empty() && self.flushing.is_empty() && self.entries == 0
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
