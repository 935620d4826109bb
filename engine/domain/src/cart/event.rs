use std::sync::Arc;

use super::state::Checkout;
use crate::{
    checkout::AbortReason,
    id::{OrderId, Sku, UserId},
    money::Currency,
    orders::Order,
    time::Seconds,
};

/// What happened to a cart. `Cart::apply` serves live and on replay, and it alone changes a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CartEvent {
    Created {
        owner: Option<UserId>,
        currency: Currency,
        metadata: Option<Box<str>>,
        lifetime: Seconds,
    },
    /// `quantity` more; the price is the one the shopper saw now.
    ItemAdded {
        sku: Sku,
        quantity: u32,
        unit_price: i64,
    },
    ItemQuantitySet {
        sku: Sku,
        quantity: u32,
        unit_price: i64,
    },
    ItemRemoved {
        sku: Sku,
    },
    Cleared,
    CheckoutStarted(Box<Checkout>),
    CheckoutPlaced {
        order: Arc<Order>,
    },
    CheckoutAborted {
        order: OrderId,
        refusal: AbortReason,
    },
    /// Every SKU has sold or released, the payment is captured or voided.
    CheckoutSettled {
        order: OrderId,
    },
}
