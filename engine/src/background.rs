//! What the engine does without being asked: sweeps, expiring holds, restocking.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use crate::{
    checkout::Coordinator,
    directory::{AtRest, Directory},
    id::Sku,
    idempotency::Outcome,
    inventory::{Stock, StockCommand},
    restock::Restocker,
    time::ShopClock,
};

/// A hold ends at most this long after its time, for readers; a change of the SKU lets go of it at once.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(500);
const RESTOCK_INTERVAL: Duration = Duration::from_secs(5);

/// Parks and evicts who is idle.
pub(crate) fn sweep<E: AtRest>(directory: Arc<Directory<E>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(directory.sweep_interval()).await;
            directory.sweep();
        }
    })
}

/// Lets go of plain holds whose time has passed, and asks the carts of checkouts that take long.
pub(crate) fn expire_holds(
    inventory: Arc<Directory<Stock>>,
    coordinator: Arc<Coordinator>,
    clock: ShopClock,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EXPIRY_INTERVAL).await;
            for sku in inventory.due(clock.now()) {
                expire(&inventory, &coordinator, &sku).await;
            }
        }
    })
}

async fn expire(inventory: &Directory<Stock>, coordinator: &Arc<Coordinator>, sku: &Sku) {
    match inventory.step(sku, StockCommand::ExpireDue).await {
        Ok(answer) => {
            let Outcome::CheckoutsToAsk(old) = answer.outcome else { return };
            for (order, cart) in old {
                if let Err(error) = coordinator.reconcile(sku, order, cart).await {
                    tracing::warn!(%sku, %order, error, "a checkout's old hold is asked about again later");
                }
            }
        }
        Err(refusal) => tracing::warn!(%sku, ?refusal, "holds that are due stay until the next round"),
    }
}

pub(crate) fn restock(restocker: Arc<Restocker>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            restocker.round().await;
            tokio::time::sleep(RESTOCK_INTERVAL).await;
        }
    })
}
