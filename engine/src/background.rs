//! What the engine does without being asked: expiring holds, restocking.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use crate::{
    admission::AdmissionController, checkout::coordinator::Coordinator, clock::ShopClock,
    directory::Directory, guarded::spawn_guarded, restock::Restocker,
};
use smartcart_domain::{
    id::Sku,
    idempotency::Outcome,
    inventory::{Stock, StockCommand, StockRejection},
    request::RequestError,
};

/// A hold ends at most this long after its time, for readers; a change of the SKU lets go of it at once.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(500);
/// Messages that let go of one SKU's holds in a round.
const MESSAGES_A_ROUND: usize = 256;
const RESTOCK_INTERVAL: Duration = Duration::from_secs(5);

/// All of it.
pub(crate) fn start(
    admission: &Arc<AdmissionController>,
    inventory: &Arc<Directory<Stock>>,
    coordinator: &Arc<Coordinator>,
    restocker: &Arc<Restocker>,
    clock: &ShopClock,
) -> [JoinHandle<()>; 2] {
    [
        expire_holds(admission, inventory.clone(), coordinator.clone(), clock.clone()),
        restock(admission, restocker.clone()),
    ]
}

/// Lets go of plain holds whose time has passed, and asks the carts of checkouts that take long.
fn expire_holds(
    admission: &Arc<AdmissionController>,
    inventory: Arc<Directory<Stock>>,
    coordinator: Arc<Coordinator>,
    clock: ShopClock,
) -> JoinHandle<()> {
    spawn_guarded("the expiry of holds", admission, async move {
        loop {
            tokio::time::sleep(EXPIRY_INTERVAL).await;
            for sku in inventory.due(clock.passed()) {
                match expire(&inventory, &coordinator, &clock, &sku).await {
                    // Its new owner sees to it.
                    Ok(()) | Err(RequestError::NotOwner) => {}
                    Err(refusal) => {
                        tracing::warn!(%sku, ?refusal, "holds that are due stay until the next round");
                    }
                }
            }
        }
    })
}

async fn expire(
    inventory: &Directory<Stock>,
    coordinator: &Arc<Coordinator>,
    clock: &ShopClock,
    sku: &Sku,
) -> Result<(), RequestError<StockRejection>> {
    let mut outcome = None;
    let mut version = None;
    // One message lets go of some. What is due still, though nothing has changed, are checkouts' holds.
    for _ in 0..MESSAGES_A_ROUND {
        let answer = inventory.step(sku, StockCommand::ExpireDue).await?;
        outcome = Some(answer.outcome);
        let now = Some(answer.published.version());
        if version == now || !inventory.is_due(sku, clock.passed()) {
            break;
        }
        version = now;
    }
    let Some(Outcome::CheckoutsToAsk(old)) = outcome else { return Ok(()) };
    for (order, cart) in old {
        if let Err(error) = coordinator.reconcile(sku, order, cart).await {
            tracing::warn!(%sku, %order, error, "a checkout's old hold is asked about again later");
        }
    }
    Ok(())
}

fn restock(admission: &Arc<AdmissionController>, restocker: Arc<Restocker>) -> JoinHandle<()> {
    spawn_guarded("the restocking of cancelled orders", admission, async move {
        loop {
            restocker.round().await;
            tokio::time::sleep(RESTOCK_INTERVAL).await;
        }
    })
}
