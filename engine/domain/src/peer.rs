//! What pods ask each other. The typed command travels, not the HTTP request: the owner decides with its own catalogue
//! and its own clock.

use std::sync::Arc;

use crate::{
    cart::{Cart, CartRejection},
    change::EntityKey,
    id::{CartId, Sku},
    idempotency::Outcome,
    inventory::{Stock, StockLevel, StockRejection},
    request::{CheckoutRejection, CheckoutRequest, Ordered, ReadError, Request, RequestError},
    shard::ShardId,
};

/// Something for the owner of a shard.
#[derive(Debug)]
pub enum PeerRequest {
    Cart(CartId, Request<Cart>),
    Stock(Sku, Request<Stock>),
    ReadCart(CartId),
    ReadStock(Sku),
    Checkout(CheckoutRequest),
}

impl PeerRequest {
    pub fn shard(&self) -> ShardId {
        match self {
            Self::Cart(id, _) | Self::ReadCart(id) => EntityKey::Cart(*id).shard(),
            Self::Stock(sku, _) | Self::ReadStock(sku) => EntityKey::Stock(sku.clone()).shard(),
            Self::Checkout(request) => EntityKey::Cart(request.cart).shard(),
        }
    }
}

/// A durable answer: the entity after the change (of a replay: as it is now).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<V> {
    pub view: V,
    pub outcome: Outcome,
    /// The key had made this change before.
    pub replayed: bool,
}

#[derive(Debug)]
pub enum PeerReply {
    Cart(Result<Changed<Arc<Cart>>, RequestError<CartRejection>>),
    Stock(Result<Changed<StockLevel>, RequestError<StockRejection>>),
    /// Nothing: it never existed.
    CartRead(Result<Option<Arc<Cart>>, ReadError>),
    StockRead(Result<Option<StockLevel>, ReadError>),
    Checkout(Result<Ordered, RequestError<CheckoutRejection>>),
}

impl PeerReply {
    /// Nothing was done: the shard is not here.
    pub const fn is_not_owner(&self) -> bool {
        matches!(
            self,
            Self::Cart(Err(RequestError::NotOwner))
                | Self::Stock(Err(RequestError::NotOwner))
                | Self::Checkout(Err(RequestError::NotOwner))
        )
    }
}
