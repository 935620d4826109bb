use serde::Serialize;
use smartcart_domain::{id::HoldId, inventory::StockLevel};
use utoipa::ToSchema;

use super::time::Rfc3339;

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
