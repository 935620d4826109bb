use serde::Serialize;
use serde_json::value::RawValue;
use smartcart_domain::{
    id::{CartId, OrderId, UserId},
    orders::{Order, OrderLine, StatusChange},
};
use utoipa::ToSchema;

use super::{
    MoneyView, Rfc3339,
    cart::{TotalsView, object},
};

/// What was bought, at which prices, and where it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView<'a> {
    #[schema(value_type = String)]
    id: OrderId,
    /// What people call it.
    #[schema(example = "7ZK3-0Q9D-VX2M")]
    number: String,
    version: u64,
    #[schema(value_type = OrderStatusView)]
    status: &'static str,
    #[schema(value_type = String)]
    cart_id: CartId,
    /// The shopper; null for a guest's order.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    currency: &'a str,
    email: Option<&'a str>,
    #[schema(value_type = Option<Object>)]
    shipping_address: Option<&'a RawValue>,
    items: Vec<OrderLineView<'a>>,
    totals: TotalsView<'a>,
    payment: PaymentView<'a>,
    /// The cart's metadata when it was ordered.
    #[schema(value_type = Object)]
    metadata: &'a RawValue,
    history: Vec<StatusChangeView>,
    #[schema(value_type = String, format = DateTime)]
    placed_at: Rfc3339,
}

#[derive(Debug, ToSchema)]
#[schema(as = OrderStatus, rename_all = "snake_case")]
pub enum OrderStatusView {
    Placed,
    Paid,
    Packed,
    Shipped,
    Delivered,
    Cancelled,
    Refunded,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderItem)]
pub struct OrderLineView<'a> {
    sku: &'a str,
    name: &'a str,
    quantity: u32,
    unit_price: MoneyView<'a>,
    line_total: MoneyView<'a>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentView<'a> {
    method: &'a str,
    /// The gateway's.
    reference: &'a str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatusChange)]
pub struct StatusChangeView {
    #[schema(value_type = OrderStatusView)]
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
}

impl<'a> OrderView<'a> {
    pub fn new(order: &'a Order) -> Self {
        let currency = order.currency.as_str();
        let quantity = order.lines.iter().map(|line| u64::from(line.quantity)).sum();
        Self {
            id: order.id,
            number: order.number(),
            version: order.version,
            status: order.status.as_str(),
            cart_id: order.cart,
            user: order.user,
            currency,
            email: order.details.email.as_deref(),
            shipping_address: order.details.shipping_address.as_deref().map(|text| object(Some(text))),
            items: order.lines.iter().map(|line| OrderLineView::new(line, currency)).collect(),
            totals: TotalsView::plain(quantity, order.total, currency),
            payment: PaymentView { method: &order.payment.method, reference: &order.payment.reference },
            metadata: object(order.details.metadata.as_deref()),
            history: order.history.iter().map(StatusChangeView::new).collect(),
            placed_at: Rfc3339(order.placed_at),
        }
    }
}

impl<'a> OrderLineView<'a> {
    fn new(line: &'a OrderLine, currency: &'a str) -> Self {
        Self {
            sku: line.sku.as_str(),
            name: &line.name,
            quantity: line.quantity,
            unit_price: MoneyView { amount: line.unit_price, currency },
            line_total: MoneyView { amount: line.line_total, currency },
        }
    }
}

impl StatusChangeView {
    const fn new(change: &StatusChange) -> Self {
        Self { status: change.status.as_str(), at: Rfc3339(change.at) }
    }
}
