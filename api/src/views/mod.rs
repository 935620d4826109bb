//! The JSON of what the shop holds, written from borrowed data straight into a buffer.

mod cart;
mod cart_json;
mod json_object;
mod list;
mod money;
mod order;
mod product;
mod stock;
mod time;
mod user;

pub use cart::{CartStatusView, CartView, LastOrderView, LineView, TotalsView};
pub use cart_json::cart_json;
pub use list::{ListView, Page};
pub use money::MoneyView;
pub use order::{OrderLineView, OrderStatusView, OrderView, PaymentView, StatusChangeView};
pub use product::{ProductView, VariantView};
pub use stock::{Availability, AvailabilityView, HoldView, StockAnswer, StockView};
pub use time::Rfc3339;
pub use user::{AddressView, TokensView, UserView};
