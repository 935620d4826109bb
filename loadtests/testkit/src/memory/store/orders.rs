use async_trait::async_trait;
use smartcart_domain::{
    id::{OrderId, UserId},
    orders::{Order, OrderStatus},
    time::{ShopTime, Timestamp},
};
use smartcart_engine::store::{DueRestock, OrderStore, StoreError, TableKey, Written};

use super::{
    super::tables::{KeySubject, OrderRow, Tables},
    MemoryStore,
};

fn order(tables: &Tables, id: OrderId) -> Option<Order> {
    tables.orders.get(&id).map(|row| row.order.clone())
}

#[async_trait]
impl OrderStore for MemoryStore {
    async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.read(|state| order(&state.tables, id)).await
    }

    async fn orders(
        &self,
        user: Option<UserId>,
        before: Option<(Timestamp, OrderId)>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError> {
        self.read(|state| {
            let orders = state.tables.orders.values().map(|row| &row.order);
            let asked = |order: &&Order| {
                before.is_none_or(|before| (order.placed_at, order.id) < before)
                    && (user.is_none() || order.user == user)
            };
            let mut found: Vec<Order> = orders.filter(asked).cloned().collect();
            found.sort_unstable_by_key(|order| std::cmp::Reverse((order.placed_at, order.id)));
            found.truncate(limit);
            found
        })
        .await
    }

    async fn transition_order(
        &self,
        next: &Order,
        key: Option<TableKey>,
    ) -> Result<Written<Order>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            let replayed = tables.seen(key)?.is_some();
            let row = tables.orders.get_mut(&next.id).ok_or(StoreError::NotFound)?;
            if replayed {
                return Ok(Written { value: row.order.clone(), replayed });
            }
            if row.order.version + 1 != next.version {
                return Err(StoreError::Stale { version: row.order.version });
            }
            row.order.version = next.version;
            row.order.status = next.status;
            row.order.history.clone_from(&next.history);
            row.restock_due |= next.status == OrderStatus::Cancelled;
            tables.remember(key, KeySubject::Order(next.id));
            Ok(Written { value: next.clone(), replayed })
        })
        .await
    }

    async fn order_of_key(&self, key: TableKey) -> Result<Option<Order>, StoreError> {
        self.read(|state| match state.tables.seen(Some(key))? {
            Some(KeySubject::Order(id)) => Ok(order(&state.tables, id)),
            Some(_) | None => Ok(None),
        })
        .await?
    }

    async fn orders_to_restock(
        &self,
        now: ShopTime,
        after: Option<(ShopTime, OrderId)>,
        limit: usize,
    ) -> Result<Vec<DueRestock>, StoreError> {
        self.read(|state| {
            let due = |row: &&OrderRow| {
                row.restock_due
                    && row.restock_at <= now
                    && after.is_none_or(|after| (row.restock_at, row.order.id) > after)
            };
            let mut due: Vec<&OrderRow> = state.tables.orders.values().filter(due).collect();
            due.sort_unstable_by_key(|row| (row.restock_at, row.order.id));
            let due = due.into_iter().take(limit).map(|row| DueRestock {
                order: row.order.clone(),
                at: row.restock_at,
                tries: row.restock_tries,
                units_returned: row.units_returned,
            });
            due.collect()
        })
        .await
    }

    async fn postpone_restock(&self, id: OrderId, until: ShopTime) -> Result<(), StoreError> {
        self.write(|state| {
            let row = state.tables.orders.get_mut(&id).ok_or(StoreError::NotFound)?;
            row.restock_at = until;
            row.restock_tries += 1;
            Ok(())
        })
        .await
    }

    async fn mark_units_returned(&self, id: OrderId) -> Result<(), StoreError> {
        self.write(|state| {
            state.tables.orders.get_mut(&id).ok_or(StoreError::NotFound)?.units_returned = true;
            Ok(())
        })
        .await
    }

    async fn mark_restocked(&self, id: OrderId) -> Result<(), StoreError> {
        self.write(|state| {
            state.tables.orders.get_mut(&id).ok_or(StoreError::NotFound)?.restock_due = false;
            Ok(())
        })
        .await
    }
}
