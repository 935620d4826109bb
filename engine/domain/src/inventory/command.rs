use std::time::Duration;

use crate::id::{CartId, HoldId, OrderId};

/// What a SKU's stock can be asked.
#[derive(Debug, Clone)]
pub enum StockCommand {
    SetOnHand {
        on_hand: i64,
    },
    Adjust {
        delta: i64,
        reason: Box<str>,
    },
    PlaceHold {
        id: HoldId,
        quantity: u32,
        ttl: Duration,
    },
    ExtendHold {
        id: HoldId,
        ttl: Duration,
    },
    ReleaseHold {
        id: HoldId,
    },
    /// Sells what is held.
    CommitHold {
        id: HoldId,
    },
    HoldForCheckout {
        order: OrderId,
        cart: CartId,
        quantity: u32,
    },
    /// Nothing happens when the checkout has no hold here (any more): it was sold before.
    SellForCheckout {
        order: OrderId,
    },
    ReleaseForCheckout {
        order: OrderId,
    },
    /// A cancelled order's units come back, once, until the order is forgotten; also when its hold was not sold yet.
    RestockCancelled {
        order: OrderId,
        quantity: u32,
    },
    /// The tables know that the cancelled order's units are back: it will not be restocked again.
    ForgetRestock {
        order: OrderId,
    },
    /// Lets go of holds whose time has passed.
    ExpireDue,
    /// The cart was asked and the checkout still lives: look again later.
    KeepForCheckout {
        order: OrderId,
    },
}

impl StockCommand {
    /// Units that it would have.
    pub(super) fn wanted(&self) -> i64 {
        match self {
            Self::PlaceHold { quantity, .. } | Self::HoldForCheckout { quantity, .. } => i64::from(*quantity),
            _ => 0,
        }
    }
}
