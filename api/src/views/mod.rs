//! The JSON of what the shop holds, written from borrowed data straight into a buffer.

mod cart;
mod cart_text;
mod list;
mod order;
mod product;
mod stock;
mod time;
mod user;

pub use cart::{CartStatusView, CartView, LineView, TotalsView, cart_json};
pub use list::{ListView, Page};
pub use order::{OrderLineView, OrderStatusView, OrderView, PaymentView, StatusChangeView};
pub use product::{ProductView, VariantView};
pub use stock::{HoldView, StockView};
pub use time::Rfc3339;
pub use user::{AddressView, TokensView, UserView};

use serde::Serialize;
use utoipa::ToSchema;

/// An amount in minor units of an ISO 4217 currency: `1999 USD` is 19.99 dollars.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneyView<'a> {
    #[schema(example = 1999)]
    pub amount: i64,
    #[schema(example = "USD")]
    pub currency: &'a str,
}
