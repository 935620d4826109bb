//! Checkout: the cart coordinates, the SKUs take part, and the cart's own durable state is the decision.

mod payment;
mod refusal;

pub use payment::{Authorization, InvoiceGateway, PaymentError, PaymentGateway, PaymentMethod};
pub use refusal::{CheckoutRefusal, PriceChange, Shortage};
