use crate::{
    id::{CartId, HoldId, OrderId},
    time::ShopTime,
};

/// What happened to a SKU's stock. `Stock::apply` serves live and on replay, and it alone changes a stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StockEvent {
    /// Units came or went by the shop's hand.
    Adjusted {
        delta: i64,
        cause: Adjustment,
    },
    HoldPlaced {
        id: HoldId,
        quantity: u32,
        deadline: ShopTime,
        checkout: Option<CartId>,
    },
    HoldExtended {
        id: HoldId,
        deadline: ShopTime,
    },
    HoldReleased {
        id: HoldId,
    },
    HoldExpired {
        id: HoldId,
    },
    /// The held units left the shelf for good.
    HoldSold {
        id: HoldId,
    },
    /// Sold units came back with a cancelled order.
    Restocked {
        order: OrderId,
        quantity: u32,
        /// Until the restock is forgotten, so that it is never done again. Earlier versions did not remember.
        remembered: bool,
    },
    RestockForgotten {
        order: OrderId,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adjustment {
    /// A count: the shelf was set to a figure.
    Counted,
    /// A delivery, a breakage, ...: the shop's own word.
    Reason(Box<str>),
}
