use serde::Serialize;
use smartcart_domain::{id::HoldId, inventory::StockLevel};
use utoipa::ToSchema;

use super::time::Rfc3339;
use crate::disclosure::Disclosure;

/// The stock of one SKU, in units.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stock)]
pub struct StockView<'a> {
    #[schema(example = "85123A")]
    sku: &'a str,
    on_hand: i64,
    held: i64,
    /// `on_hand - held`
    available: i64,
    sold: i64,
    version: u64,
}

impl<'a> StockView<'a> {
    pub const fn new(sku: &'a str, level: &StockLevel) -> Self {
        // By name, so that a new field is shown or left out on purpose.
        let StockLevel { version, on_hand, held, sold, stocked: _ } = *level;
        Self { sku, on_hand, held, available: level.available(), sold, version }
    }
}

/// Whether a SKU can be had. What the shop has, and what it sold, is its own affair.
#[derive(Debug, Serialize, ToSchema)]
pub struct AvailabilityView<'a> {
    #[schema(example = "85123A")]
    sku: &'a str,
    availability: Availability,
    /// Units that can be had; a shop names no more than it has set.
    available: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    InStock,
    Low,
    OutOfStock,
}

impl<'a> AvailabilityView<'a> {
    pub fn new(sku: &'a str, level: &StockLevel, told: Disclosure) -> Self {
        let availability = match level.available() {
            ..=0 => Availability::OutOfStock,
            available if available <= told.low => Availability::Low,
            _ => Availability::InStock,
        };
        Self { sku, availability, available: told.of(level.available()) }
    }
}

/// What a reader gets: the service the stock, everybody else whether there is some.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum StockAnswer<'a> {
    Stock(StockView<'a>),
    Availability(AvailabilityView<'a>),
}

/// Units set aside for somebody until a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldView<'a> {
    #[schema(value_type = String)]
    pub id: HoldId,
    pub sku: &'a str,
    pub quantity: u32,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Rfc3339,
}
