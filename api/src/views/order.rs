use serde::Serialize;
use serde_json::value::RawValue;
use smartcart_domain::{
    id::{CartId, OrderId, UserId},
    orders::{CheckoutDetails, Order, OrderLine, OrderStatus, StatusChange},
    payment::Authorization,
};
use utoipa::ToSchema;

use super::{cart::TotalsView, json_object::json_object, money::MoneyView, time::Rfc3339};

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
    status: OrderStatusView,
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

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderStatus)]
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
    status: OrderStatusView,
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
}

impl From<OrderStatus> for OrderStatusView {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Placed => Self::Placed,
            OrderStatus::Paid => Self::Paid,
            OrderStatus::Packed => Self::Packed,
            OrderStatus::Shipped => Self::Shipped,
            OrderStatus::Delivered => Self::Delivered,
            OrderStatus::Cancelled => Self::Cancelled,
            OrderStatus::Refunded => Self::Refunded,
        }
    }
}

impl<'a> OrderView<'a> {
    pub fn new(order: &'a Order) -> Self {
        // By name, so that a new field is shown or left out on purpose.
        let Order {
            id,
            version,
            status,
            cart,
            user,
            currency,
            lines,
            total,
            details: CheckoutDetails { email, shipping_address, metadata },
            payment,
            history,
            placed_at,
        } = order;
        let currency = currency.as_str();
        let quantity = lines.iter().map(|line| u64::from(line.quantity)).sum();
        Self {
            id: *id,
            number: order.number(),
            version: *version,
            status: (*status).into(),
            cart_id: *cart,
            user: *user,
            currency,
            email: email.as_deref(),
            shipping_address: shipping_address.as_deref().map(|text| json_object(Some(text))),
            items: lines.iter().map(|line| OrderLineView::new(line, currency)).collect(),
            totals: TotalsView::plain(quantity, *total, currency),
            payment: PaymentView::new(payment),
            metadata: json_object(metadata.as_deref()),
            history: history.iter().map(StatusChangeView::new).collect(),
            placed_at: Rfc3339(*placed_at),
        }
    }
}

impl<'a> OrderLineView<'a> {
    fn new(line: &'a OrderLine, currency: &'a str) -> Self {
        let OrderLine { sku, name, quantity, unit_price, line_total } = line;
        Self {
            sku: sku.as_str(),
            name,
            quantity: *quantity,
            unit_price: MoneyView { amount: *unit_price, currency },
            line_total: MoneyView { amount: *line_total, currency },
        }
    }
}

impl<'a> PaymentView<'a> {
    fn new(authorization: &'a Authorization) -> Self {
        let Authorization { method, reference } = authorization;
        Self { method, reference }
    }
}

impl StatusChangeView {
    fn new(change: &StatusChange) -> Self {
        let StatusChange { status, at } = *change;
        Self { status: status.into(), at: Rfc3339(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word that a client reads is the word that it may ask for (`?status=`).
    #[test]
    fn every_status_is_shown_by_its_name() {
        for status in OrderStatus::ALL {
            let shown = serde_json::to_value(OrderStatusView::from(status)).unwrap();
            assert_eq!(shown, status.as_str());
        }
    }
}
