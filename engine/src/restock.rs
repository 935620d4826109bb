//! A cancelled order's units go back on their shelves, each SKU's once, however often this is tried.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::{directory::Directory, ownership::shard_map::ShardMap, payment::PaymentGateway, store::Store};
use smartcart_domain::{
    idempotency::KeyFingerprint,
    inventory::{Stock, StockCommand},
    orders::Order,
    shard::ShardId,
};

/// Orders looked at in one round.
const ROUND: usize = 100;
/// Marks the key as a restock's: the order's id is the key.
const RESTOCK: u64 = 1;

pub(crate) struct Restocker {
    inventory: Arc<Directory<Stock>>,
    store: Arc<dyn Store>,
    gateway: Arc<dyn PaymentGateway>,
    shards: Arc<ShardMap>,
}

impl Restocker {
    pub(crate) fn new(
        inventory: Arc<Directory<Stock>>,
        store: Arc<dyn Store>,
        gateway: Arc<dyn PaymentGateway>,
        shards: Arc<ShardMap>,
    ) -> Self {
        Self { inventory, store, gateway, shards }
    }

    /// What fails is tried again in the next round: the tables remember that the order is not restocked.
    pub(crate) async fn restock(&self, order: &Order) {
        if let Err(error) = self.try_restock(order).await {
            tracing::warn!(order = %order.id, error, "a cancelled order is not restocked yet");
        }
    }

    pub(crate) async fn round(&self) {
        match self.store.orders_to_restock(ROUND).await {
            Ok(orders) => {
                // In a fleet each order is seen to by one pod.
                let mine = |order: &&Order| self.shards.is_open(ShardId::of(&order.id.0.to_be_bytes()));
                for order in orders.iter().filter(mine) {
                    self.restock(order).await;
                }
            }
            Err(error) => tracing::warn!(%error, "cancelled orders cannot be looked up"),
        }
    }

    async fn try_restock(&self, order: &Order) -> Result<(), String> {
        let key = KeyFingerprint { key: order.id.0, request: RESTOCK };
        let steps = order.lines.iter().map(|line| {
            let command = StockCommand::RestockCancelled { order: order.id, quantity: line.quantity };
            self.inventory.keyed_step(&line.sku, command, Some(key))
        });
        for step in join_all(steps).await {
            step.map_err(|refusal| format!("{refusal:?}"))?;
        }
        self.gateway.void(order.id).await.map_err(|error| error.to_string())?;
        self.store.mark_restocked(order.id).await.map_err(|error| error.to_string())
    }
}
