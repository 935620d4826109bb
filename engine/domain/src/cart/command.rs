use std::sync::Arc;

use crate::{
    catalog::Catalog,
    checkout::AbortReason,
    id::{OrderId, Sku, UserId},
    money::{Currency, Money},
    orders::CheckoutDetails,
    payment::{Authorization, PaymentMethod},
};

/// What a cart can be asked.
#[derive(Debug, Clone)]
pub enum CartCommand {
    Create {
        currency: Currency,
        owner: Option<UserId>,
        metadata: Option<Box<str>>,
    },
    AddItem {
        sku: Sku,
        quantity: u32,
        catalog: Arc<Catalog>,
    },
    /// Quantity 0 removes; nothing happens when there is no such line.
    SetItem {
        sku: Sku,
        quantity: u32,
        catalog: Arc<Catalog>,
    },
    /// Refused when there is no such line.
    RemoveItem {
        sku: Sku,
    },
    Clear,
    Batch {
        mode: BatchMode,
        operations: Vec<Operation>,
        catalog: Arc<Catalog>,
    },
    StartCheckout(Box<CheckoutTerms>),
    PlaceOrder {
        order: OrderId,
        payment: Authorization,
    },
    AbortCheckout {
        order: OrderId,
        refusal: AbortReason,
    },
    SettleCheckout {
        order: OrderId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchMode {
    /// All or nothing.
    Atomic,
    /// What can be done is done.
    BestEffort,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub kind: OperationKind,
    pub sku: Sku,
    /// Not used when removing.
    pub quantity: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    Add,
    Set,
    Remove,
}

#[derive(Debug, Clone)]
pub struct CheckoutTerms {
    /// The id that the order will bear.
    pub order: OrderId,
    pub details: CheckoutDetails,
    pub payment: PaymentMethod,
    /// What the shopper agrees to pay, whatever the cart showed: nothing else is charged.
    pub expected_total: Option<Money>,
    pub catalog: Arc<Catalog>,
}
