//! What several records have.

use smartcart_domain::{id::Sku, money::Currency};

use crate::malformed::Malformed;

/// 128 bits.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Id {
    #[prost(fixed64, tag = "1")]
    high: u64,
    #[prost(fixed64, tag = "2")]
    low: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Nothing {}

impl Id {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    pub(crate) const fn new(id: u128) -> Self {
        Self { high: (id >> 64) as u64, low: id as u64 }
    }

    pub(crate) fn get(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }
}

pub(crate) fn required<T>(value: Option<T>, what: &'static str) -> Result<T, Malformed> {
    value.ok_or(Malformed::Missing(what))
}

pub(crate) fn id(id: Option<Id>, what: &'static str) -> Result<u128, Malformed> {
    required(id, what).map(Id::get)
}

pub(crate) fn sku(text: &str) -> Result<Sku, Malformed> {
    text.parse().map_err(|e| Malformed::invalid("a SKU", &e))
}

pub(crate) fn currency(text: &str) -> Result<Currency, Malformed> {
    text.parse().map_err(|e| Malformed::invalid("a currency", &e))
}
