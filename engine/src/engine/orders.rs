//! An order's way after its checkout.

use super::Engine;
use crate::store::{StoreError, Written};
use smartcart_domain::{
    id::OrderId,
    idempotency::KeyFingerprint,
    orders::{ForbiddenTransition, Order, OrderStatus},
};

/// Why an order has not changed its state.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("there is no such order")]
    NotFound,
    #[error(transparent)]
    Forbidden(#[from] ForbiddenTransition),
    #[error("the order is at version {version}")]
    Stale { version: u64 },
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for OrderError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Stale { version } => Self::Stale { version },
            other => Self::Store(other),
        }
    }
}

impl Engine {
    /// The order's next state. A cancelled order's units are back on their shelves when this answers, or soon after.
    pub async fn transition_order(
        &self,
        id: OrderId,
        to: OrderStatus,
        expected: Option<u64>,
        key: Option<KeyFingerprint>,
    ) -> Result<Written<Order>, OrderError> {
        let key = self.table_key(key);
        if let Some(key) = key
            && let Some(order) = self.store.order_of_key(key).await.map_err(OrderError::from)?
        {
            return Ok(Written { value: order, replayed: true });
        }
        let order = self.store.order(id).await?.ok_or(OrderError::NotFound)?;
        if expected.is_some_and(|expected| expected != order.version) {
            return Err(OrderError::Stale { version: order.version });
        }
        let next = match order.transition(to, self.clock.wall()) {
            Ok(next) => next,
            Err(forbidden) => {
                // The same request, sent twice, may have been made since its key was looked up.
                let made = match key {
                    Some(key) => self.store.order_of_key(key).await?,
                    None => None,
                };
                return made.map(|value| Written { value, replayed: true }).ok_or(forbidden.into());
            }
        };
        let written = self.store.transition_order(&next, key).await?;
        if to == OrderStatus::Cancelled {
            self.restocker.restock(&written.value).await;
        }
        Ok(written)
    }
}
