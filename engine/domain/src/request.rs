//! What an entity's owner is asked, and why there may be no answer.

use std::{sync::Arc, time::Duration};

use crate::{
    cart::CartRejection,
    checkout::AbortReason,
    entity::{Context, Entity},
    failure::Failure,
    id::CartId,
    idempotency::{Caller, KeyFingerprint},
    limits::Limits,
    money::Money,
    orders::{CheckoutDetails, Order},
    payment::PaymentMethod,
    time::Moment,
};

/// One command for one entity.
#[derive(Debug)]
pub struct Request<E: Entity> {
    pub command: E::Command,
    pub caller: Caller,
    pub key: Option<KeyFingerprint>,
    /// The version that the caller believes the entity at (`If-Match`).
    pub expected: Option<u64>,
    /// The id was just drawn: there is nothing to load.
    pub fresh: bool,
}

impl<E: Entity> Request<E> {
    /// A step of the engine's own.
    pub const fn of_engine(command: E::Command, key: Option<KeyFingerprint>) -> Self {
        Self { command, caller: Caller::Engine, key, expected: None, fresh: false }
    }

    /// What a rule may know of it.
    pub const fn context(&self, moment: Moment, limits: Limits) -> Context {
        let Moment { wall, shop, passed } = moment;
        Context { caller: self.caller, wall, shop, passed, limits, key: self.key }
    }
}

#[derive(Debug, Clone)]
pub struct CheckoutRequest {
    pub cart: CartId,
    pub caller: Caller,
    pub key: KeyFingerprint,
    /// The cart's version that the shopper saw.
    pub expected: Option<u64>,
    /// What the shopper agrees to pay, whatever the cart showed.
    pub expected_total: Option<Money>,
    pub details: CheckoutDetails,
    pub payment: PaymentMethod,
}

/// A checkout's durable answer.
#[derive(Debug, Clone)]
pub struct Ordered {
    pub order: Arc<Order>,
    pub replayed: bool,
}

/// Why no order was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckoutRejection {
    /// It did not begin.
    Cart(CartRejection),
    /// It began and was given up; `replayed`: an earlier request with the key began it.
    Aborted { reason: AbortReason, replayed: bool },
}

/// Why a request was not admitted. Nothing of it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    pub reason: &'static str,
    pub retry_after: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError<R> {
    /// The rule says no.
    Rejected(R),
    /// The key was used with another request.
    KeyReused,
    /// The entity is at another version than expected.
    Stale { version: u64 },
    /// Not begun: come back later.
    Shed(Shed),
    /// Nothing was done: another pod owns the shard, or will in a moment.
    NotOwner,
    /// Something that it needs has failed.
    Failed(Failure),
}

impl<R> RequestError<R> {
    /// Nothing was done.
    pub fn not_applied(reason: impl Into<String>) -> Self {
        Self::Failed(Failure::not_applied(reason))
    }

    /// Done or not: ask again with the same key.
    pub fn indeterminate(reason: impl Into<String>) -> Self {
        Self::Failed(Failure::indeterminate(reason))
    }

    /// As a failure of the whole, one of whose steps may have been done before this one failed: that nothing was done is
    /// not known any more.
    #[must_use]
    pub fn of_later_step(self) -> Self {
        match self {
            Self::Failed(failure) => failure.of_later_step().into(),
            Self::Shed(shed) => Self::indeterminate(shed.reason),
            Self::NotOwner => Self::indeterminate("its shard is moving to another pod"),
            decided @ (Self::Rejected(_) | Self::KeyReused | Self::Stale { .. }) => decided,
        }
    }

    pub fn map<S>(self, rejection: impl FnOnce(R) -> S) -> RequestError<S> {
        match self {
            Self::Rejected(r) => RequestError::Rejected(rejection(r)),
            Self::KeyReused => RequestError::KeyReused,
            Self::Stale { version } => RequestError::Stale { version },
            Self::Shed(shed) => RequestError::Shed(shed),
            Self::NotOwner => RequestError::NotOwner,
            Self::Failed(failure) => RequestError::Failed(failure),
        }
    }
}

impl<R> From<Shed> for RequestError<R> {
    fn from(shed: Shed) -> Self {
        Self::Shed(shed)
    }
}

impl<R> From<Failure> for RequestError<R> {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<R> From<ReadError> for RequestError<R> {
    fn from(error: ReadError) -> Self {
        Self::not_applied(error.0)
    }
}

/// The entity cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);
