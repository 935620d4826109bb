//! Version 1. Tags are for ever.

mod cart;
mod change;
mod order;
mod outcome;
mod stock;

use smartcart_engine::{id::Sku, money::Currency};

pub(super) use cart::CartImage;
pub(super) use change::{Changes, EntryBody};
pub(super) use order::{CheckoutDetails, Order};
pub(super) use outcome::{KeyGuard, Outcome, Refusal};
pub(super) use stock::StockImage;

use super::Malformed;

/// 128 bits.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Id {
    #[prost(fixed64, tag = "1")]
    high: u64,
    #[prost(fixed64, tag = "2")]
    low: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Nothing {}

impl Id {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    pub(super) const fn new(id: u128) -> Self {
        Self { high: (id >> 64) as u64, low: id as u64 }
    }

    pub(super) fn get(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }
}

pub(super) fn required<T>(value: Option<T>, what: &'static str) -> Result<T, Malformed> {
    value.ok_or(Malformed::Missing(what))
}

pub(super) fn id(id: Option<Id>, what: &'static str) -> Result<u128, Malformed> {
    required(id, what).map(Id::get)
}

pub(super) fn sku(text: &str) -> Result<Sku, Malformed> {
    text.parse().map_err(|e| Malformed::invalid("a SKU", &e))
}

pub(super) fn currency(text: &str) -> Result<Currency, Malformed> {
    text.parse().map_err(|e| Malformed::invalid("a currency", &e))
}
