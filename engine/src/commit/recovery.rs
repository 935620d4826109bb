//! Recovery is finishing the write-behind of a process that is gone: seal its journal, read what lies past its
//! watermarks, check that it is whole, write it to the tables. Then the tables are complete, and a new owner loads.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::dirty_set::placed_orders;
use crate::{
    entity::Resident,
    hydrate::Hydrated,
    journal::{Journal, JournalError},
    progress::Progress,
    store::{Row, Store, StoreError, TableBatch},
};
use smartcart_domain::{
    cart::Cart,
    change::{Change, EntityKey},
    entry::{Entry, Lane, Watermark},
    id::IncarnationId,
    inventory::Stock,
    time::ShopTime,
};

/// Entries read at once.
const PAGE: usize = 256;
/// Entities that are put together at the same time: a shared database answers each after a while.
const LOADED_AT_ONCE: usize = 32;
/// Rows of one transaction.
const SLICE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that was acknowledged is missing. Nothing is skipped: a person must look.
    #[error(
        "journal {incarnation}, lane {lane}: entry {expected} is missing (the next there is {found:?}; the last should be {last})"
    )]
    Hole { incarnation: IncarnationId, lane: u16, expected: u64, found: Option<u64>, last: u64 },
}

/// What was found and finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    pub incarnations: usize,
    pub entries: u64,
    pub entities: usize,
    /// Shop time goes on from here.
    pub shop: ShopTime,
}

impl Recovered {
    fn add(&mut self, one: Self) {
        self.incarnations += one.incarnations;
        self.entries += one.entries;
        self.entities += one.entities;
        self.shop = self.shop.max(one.shop);
    }
}

/// Finishes every incarnation in the journal. The caller owns the store: nobody else writes to it.
pub async fn recover(journal: &dyn Journal, store: &dyn Store) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered { shop: store.shop_time().await?, ..Recovered::default() };
    for (incarnation, _) in journal.incarnations().await? {
        // A start waits for its own database as long as it takes.
        recovered.add(finish_write_behind(journal, store, incarnation, &Progress::default()).await?);
        journal.remove(incarnation).await?;
        store.forget_incarnation(incarnation).await?;
    }
    Ok(recovered)
}

/// Brings all of one incarnation's journal into the tables. Done again, it changes nothing.
pub(crate) async fn finish_write_behind(
    journal: &dyn Journal,
    store: &dyn Store,
    incarnation: IncarnationId,
    progress: &Progress,
) -> Result<Recovered, RecoveryError> {
    // First: until then it may grow.
    journal.seal(incarnation).await?;
    progress.made();
    let watermarks = store.watermarks(incarnation).await?;
    let mut unwritten = Unwritten::default();
    let lanes = journal.last(incarnation).await?;
    progress.made();
    for Watermark { lane, sequence, .. } in &watermarks {
        let last = lanes.iter().find(|(known, _)| known == lane).map_or(0, |(_, last)| *last);
        if last < *sequence {
            tracing::error!(%incarnation, lane = lane.0, last, tables = sequence,
                "a journal has forgotten what the tables have: what came after it may have been lost");
        }
    }
    for (lane, last) in lanes {
        let watermark = watermarks.iter().find(|watermark| watermark.lane == lane);
        let after = watermark.map_or(0, |watermark| watermark.sequence);
        read_lane(journal, incarnation, (lane, last), after, &mut unwritten, progress).await?;
    }
    let recovered = Recovered {
        incarnations: 1,
        entries: unwritten.entries,
        entities: unwritten.changes.len(),
        shop: unwritten.shop,
    };
    unwritten.write(store, progress).await?;
    Ok(recovered)
}

async fn read_lane(
    journal: &dyn Journal,
    incarnation: IncarnationId,
    (lane, last): (Lane, u64),
    mut after: u64,
    unwritten: &mut Unwritten,
    progress: &Progress,
) -> Result<(), RecoveryError> {
    let hole = |expected, found| RecoveryError::Hole { incarnation, lane: lane.0, expected, found, last };
    while after < last {
        let page = journal.read(incarnation, lane, after, PAGE).await?;
        progress.made();
        if page.is_empty() {
            return Err(hole(after + 1, None));
        }
        for entry in page {
            if entry.sequence != after + 1 {
                return Err(hole(after + 1, Some(entry.sequence)));
            }
            after = entry.sequence;
            unwritten.take(entry);
        }
    }
    unwritten.watermarks.push(Watermark { incarnation, lane, sequence: last });
    Ok(())
}

/// What the tables have not got of one incarnation.
#[derive(Default)]
struct Unwritten {
    changes: BTreeMap<EntityKey, Vec<Change>>,
    watermarks: Vec<Watermark>,
    entries: u64,
    shop: ShopTime,
}

impl Unwritten {
    fn take(&mut self, entry: Entry) {
        self.entries += 1;
        self.shop = self.shop.max(entry.shop);
        for change in entry.changes {
            self.changes.entry(change.entity()).or_default().push(change);
        }
    }

    async fn write(self, store: &dyn Store, progress: &Progress) -> Result<(), StoreError> {
        let Self { changes, watermarks, shop, .. } = self;
        let mut batch = TableBatch { shop, ..TableBatch::default() };
        let finished = stream::iter(changes).map(async move |(entity, changes)| {
            let row = match &entity {
                EntityKey::Cart(id) => finish::<Cart>(store, id, &changes).await?,
                EntityKey::Stock(sku) => finish::<Stock>(store, sku, &changes).await?,
            };
            Ok::<_, StoreError>((changes, row))
        });
        let mut finished = std::pin::pin!(finished.buffered(LOADED_AT_ONCE));
        while let Some((changes, row)) = finished.try_next().await? {
            progress.made();
            batch.orders.extend(changes.iter().flat_map(placed_orders));
            batch.rows.extend(row.map(Arc::new));
            if batch.rows.len() == SLICE {
                store.flush(&batch).await?;
                progress.made();
                batch = TableBatch { shop, ..TableBatch::default() };
            }
        }
        batch.watermarks = watermarks;
        store.flush(&batch).await?;
        progress.made();
        Ok(())
    }
}

/// The entity as the tables have it, followed by its changes, as a row with a snapshot. Nothing: the tables have it all,
/// perhaps more, from an owner that came later.
async fn finish<E: Resident>(
    store: &dyn Store,
    id: &E::Id,
    changes: &[Change],
) -> Result<Option<Row>, StoreError> {
    let mut assembled = Hydrated::<E>::load(store, id, &[]).await?.unwrap_or_else(|| Hydrated::absent(id));
    let before = assembled.entity.version();
    assembled.follow(changes)?;
    let Hydrated { entity, keys, .. } = assembled;
    if entity.version() == before {
        return Ok(None);
    }
    let view = entity.view();
    Ok(Some(Row {
        entity: E::key(id),
        version: entity.version(),
        columns: entity.indexed_columns(&view),
        snapshot: Some(entity.snapshot(&view, &keys)),
        tail: Vec::new(),
    }))
}
