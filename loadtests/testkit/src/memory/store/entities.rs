use async_trait::async_trait;
use smartcart_domain::{
    change::EntityKey,
    entry::{Lane, Watermark},
    failure::Failure,
    id::{CartId, IdSecret, IncarnationId, Sku},
    snapshot::{CartSnapshot, Snapshot, StockSnapshot},
    time::ShopTime,
};
use smartcart_engine::store::{EntityStore, IndexedColumns, StoreError, Stored, TableBatch};

use super::{
    super::{
        bugs::Bug,
        database::{Fenced, State},
        tables::invariant,
    },
    MemoryStore, refused,
};

#[async_trait]
impl EntityStore for MemoryStore {
    async fn load_cart(&self, id: CartId) -> Result<Option<Stored<CartSnapshot>>, StoreError> {
        let row = self.read(|state| state.tables.cart(id).cloned()).await?;
        row.map(|row| match row.snapshot {
            Snapshot::Cart(snapshot) => Ok(Stored { snapshot, tail: row.tail }),
            Snapshot::Stock(_) => Err(invariant(format!("cart {id} is a stock"))),
        })
        .transpose()
    }

    async fn load_stock(&self, sku: &Sku) -> Result<Option<Stored<StockSnapshot>>, StoreError> {
        if self.unreadable.lock().contains(sku) {
            return Err(refused("its page is damaged"));
        }
        let row = self.read(|state| state.tables.stock(sku).cloned()).await?;
        row.map(|row| match row.snapshot {
            Snapshot::Stock(snapshot) => Ok(Stored { snapshot, tail: row.tail }),
            Snapshot::Cart(_) => Err(invariant(format!("stock {sku} is a cart"))),
        })
        .transpose()
    }

    async fn flush(&self, batch: &TableBatch) -> Result<(), StoreError> {
        let writer = self.writer.ok_or_else(Failure::fenced)?;
        self.write(|state| {
            state.fence(writer).map_err(|Fenced| Failure::fenced())?;
            if state.bugs.strikes(Bug::LostFlush) {
                return Ok(());
            }
            state.tables.flush(batch)?;
            if (!batch.watermarks.is_empty() || batch.rows.is_empty())
                && let Some(row) = state.members.get_mut(&writer)
            {
                row.shop = row.shop.max(batch.shop);
            }
            Ok(())
        })
        .await
    }

    async fn watermarks(&self, incarnation: IncarnationId) -> Result<Vec<Watermark>, StoreError> {
        self.read(|state| {
            let of_it = (incarnation, Lane(0))..=(incarnation, Lane(u16::MAX));
            let mark = |((incarnation, lane), sequence): (&(IncarnationId, Lane), &u64)| Watermark {
                incarnation: *incarnation,
                lane: *lane,
                sequence: *sequence,
            };
            state.tables.watermarks.range(of_it).map(mark).collect()
        })
        .await
    }

    async fn forget_incarnation(&self, incarnation: IncarnationId) -> Result<(), StoreError> {
        self.write(|state| {
            state.tables.watermarks.retain(|(owner, _), _| *owner != incarnation);
            Ok(())
        })
        .await
    }

    async fn shop_time(&self) -> Result<ShopTime, StoreError> {
        self.read(State::shop_time).await
    }

    async fn carts_checking_out(&self) -> Result<Vec<CartId>, StoreError> {
        self.read(|state| {
            let checking_out = |(key, row): (&EntityKey, &_)| match (key, row) {
                (
                    EntityKey::Cart(id),
                    super::super::tables::EntityRow { columns: IndexedColumns::Cart(cart), .. },
                ) => cart.checkout.is_some().then_some(*id),
                _ => None,
            };
            state.tables.entities.iter().filter_map(checking_out).collect()
        })
        .await
    }

    /// The hold that ends first comes first.
    async fn stocks_with_holds(&self) -> Result<Vec<Sku>, StoreError> {
        self.read(|state| {
            let held = state.tables.entities.iter().filter_map(|(key, row)| match (key, &row.columns) {
                (EntityKey::Stock(sku), IndexedColumns::Stock { level, next_deadline }) => {
                    (level.held > 0).then(|| (*next_deadline, sku.clone()))
                }
                _ => None,
            });
            let mut held: Vec<_> = held.collect();
            held.sort_unstable();
            held.into_iter().map(|(_, sku)| sku).collect()
        })
        .await
    }

    async fn secret(&self) -> Result<IdSecret, StoreError> {
        self.write(|state| Ok(state.tables.secret.get_or_insert_with(IdSecret::random).clone())).await
    }
}
