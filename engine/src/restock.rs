//! A cancelled order's units go back on their shelves, each SKU's once, however often and for however long this is tried.
//!
//! Each SKU remembers the order until the tables know that all of its units are back, so that no key's time runs out
//! meanwhile. The key on each step stands beside that for messages that arrive late, when the order is forgotten.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, future::join_all, stream};
use tokio::time::{Instant, timeout_at};

use crate::{
    backoff::Backoff,
    checkout::{coordinator::Coordinator, payments::Payments},
    clock::ShopClock,
    directory::Directory,
    ownership::shard_map::ShardMap,
    store::{DueRestock, Store, StoreError},
};
use smartcart_domain::{
    idempotency::KeyFingerprint,
    inventory::{Stock, StockCommand},
    orders::Order,
    shard::ShardId,
};

/// Orders read at a time, and how many of them are worked on at a time.
const PAGE: usize = 100;
const AT_ONCE: usize = 16;
/// Between two attempts at one order: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// How long whoever cancels waits for the order's checkout to settle.
const SETTLE_PATIENCE: Duration = Duration::from_secs(2);
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_millis(200);
/// Marks the key as a restock's: the order's id is the key.
const RESTOCK: u64 = 1;

pub(crate) struct Restocker {
    inventory: Arc<Directory<Stock>>,
    store: Arc<dyn Store>,
    payments: Arc<Payments>,
    coordinator: Arc<Coordinator>,
    clock: ShopClock,
    shards: Arc<ShardMap>,
}

impl Restocker {
    /// Of the shop whose checkouts this coordinator drives.
    pub(crate) fn beside(coordinator: Arc<Coordinator>, clock: ShopClock) -> Self {
        Self {
            inventory: coordinator.directories.inventory.clone(),
            store: coordinator.store.clone(),
            payments: coordinator.payments.clone(),
            shards: coordinator.routes.shards.clone(),
            coordinator,
            clock,
        }
    }

    /// Of an order that was cancelled just now. What fails is tried again by a round: the tables remember it.
    pub(crate) async fn restock(&self, order: &Order) {
        // It may have been placed a moment ago.
        let _settled_or_later = timeout_at(Instant::now() + SETTLE_PATIENCE, self.settled(order)).await;
        if let Err(error) = self.try_restock(order, false).await {
            tracing::warn!(order = %order.id, error, "a cancelled order is not restocked yet");
        }
    }

    /// Every order whose turn has come. One that fails comes back later each time, and keeps nobody else waiting.
    pub(crate) async fn round(&self) {
        let now = self.clock.now();
        let mut after = None;
        loop {
            let page = match self.store.orders_to_restock(now, after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "cancelled orders cannot be looked up");
                    return;
                }
            };
            let Some(last) = page.last() else { return };
            after = Some((last.at, last.order.id));
            // In a fleet each order is seen to by one pod.
            let mine =
                page.iter().filter(|due| self.shards.is_open(ShardId::of(&due.order.id.0.to_be_bytes())));
            stream::iter(mine).for_each_concurrent(AT_ONCE, |due| self.take_turn(due)).await;
        }
    }

    async fn take_turn(&self, due: &DueRestock) {
        let order = &due.order;
        let Err(error) = self.try_restock(order, due.units_returned).await else { return };
        let pause = pause_after(due.tries);
        tracing::warn!(order = %order.id, error, ?pause, "a cancelled order is not restocked yet; trying again");
        let postponed = self.store.postpone_restock(order.id, self.clock.now().plus(pause)).await;
        if let Err(error) = postponed {
            tracing::warn!(order = %order.id, %error, "the restock could not be postponed: its turn comes at once");
        }
    }

    async fn settled(&self, order: &Order) {
        let mut looks = Backoff::new(FIRST_LOOK, LAST_LOOK);
        while !self.coordinator.is_settled(order.cart, order.id).await.is_ok_and(|settled| settled) {
            looks.wait().await;
        }
    }

    async fn try_restock(&self, order: &Order, units_returned: bool) -> Result<(), String> {
        if !units_returned {
            // A capture under way must have ended before the payment is voided.
            if !self.coordinator.is_settled(order.cart, order.id).await? {
                return Err("its checkout has not settled".to_owned());
            }
            let key = KeyFingerprint { key: order.id.0, request: RESTOCK };
            self.each_sku(order, Some(key), |quantity| StockCommand::RestockCancelled {
                order: order.id,
                quantity,
            })
            .await?;
            self.payments.void(order.id).await?;
            self.store.mark_units_returned(order.id).await.map_err(text)?;
        }
        self.each_sku(order, None, |_| StockCommand::ForgetRestock { order: order.id }).await?;
        self.store.mark_restocked(order.id).await.map_err(text)
    }

    /// Every SKU is asked, also when another one fails.
    async fn each_sku(
        &self,
        order: &Order,
        key: Option<KeyFingerprint>,
        command: impl Fn(u32) -> StockCommand,
    ) -> Result<(), String> {
        let steps = order.lines.iter().map(|line| {
            let command = command(line.quantity);
            self.inventory.keyed_step(&line.sku, command, key)
        });
        let steps = join_all(steps).await;
        steps.into_iter().try_for_each(|step| step.map(|_| ()).map_err(|refusal| format!("{refusal:?}")))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn text(error: StoreError) -> String {
    error.to_string()
}

/// How long an order waits for its next turn after it has failed `tries` times before.
fn pause_after(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds: Vec<u64> = [0, 1, 2, 7, 8, 1_000].map(|tries| pause_after(tries).as_secs()).into();
        assert_eq!(seconds, [5, 10, 20, 640, 900, 900]);
    }
}
