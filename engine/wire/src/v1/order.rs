use smartcart_domain::payment;
use smartcart_domain::{
    id::{CartId, OrderId, UserId},
    orders::{self, OrderStatus as LiveStatus},
    time::Timestamp,
};

use super::field::{Id, currency, id, required, sku};
use crate::malformed::Malformed;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Order {
    #[prost(message, optional, tag = "1")]
    id: Option<Id>,
    #[prost(uint64, tag = "2")]
    version: u64,
    #[prost(enumeration = "OrderStatus", tag = "3")]
    status: i32,
    #[prost(message, optional, tag = "4")]
    cart: Option<Id>,
    #[prost(message, optional, tag = "5")]
    user: Option<Id>,
    #[prost(string, tag = "6")]
    currency: String,
    #[prost(message, repeated, tag = "7")]
    lines: Vec<OrderLine>,
    #[prost(int64, tag = "8")]
    total: i64,
    #[prost(message, optional, tag = "9")]
    details: Option<CheckoutDetails>,
    #[prost(message, optional, tag = "10")]
    payment: Option<Authorization>,
    #[prost(message, repeated, tag = "11")]
    history: Vec<StatusChange>,
    #[prost(int64, tag = "12")]
    placed_at: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OrderLine {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint32, tag = "3")]
    quantity: u32,
    #[prost(int64, tag = "4")]
    unit_price: i64,
    #[prost(int64, tag = "5")]
    line_total: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CheckoutDetails {
    #[prost(string, optional, tag = "1")]
    email: Option<String>,
    #[prost(string, optional, tag = "2")]
    shipping_address: Option<String>,
    #[prost(string, optional, tag = "3")]
    metadata: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Authorization {
    #[prost(string, tag = "1")]
    method: String,
    #[prost(string, tag = "2")]
    reference: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct StatusChange {
    #[prost(enumeration = "OrderStatus", tag = "1")]
    status: i32,
    #[prost(int64, tag = "2")]
    at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum OrderStatus {
    Unspecified = 0,
    Placed = 1,
    Paid = 2,
    Packed = 3,
    Shipped = 4,
    Delivered = 5,
    Cancelled = 6,
    Refunded = 7,
}

impl From<&orders::Order> for Order {
    fn from(order: &orders::Order) -> Self {
        Self {
            id: Some(Id::new(order.id.0)),
            version: order.version,
            status: OrderStatus::from(order.status).into(),
            cart: Some(Id::new(order.cart.0)),
            user: order.user.map(|user| Id::new(user.0)),
            currency: order.currency.to_string(),
            lines: order.lines.iter().map(Into::into).collect(),
            total: order.total,
            details: Some((&order.details).into()),
            payment: Some(Authorization {
                method: order.payment.method.clone(),
                reference: order.payment.reference.clone(),
            }),
            history: order
                .history
                .iter()
                .map(|change| StatusChange {
                    status: OrderStatus::from(change.status).into(),
                    at: change.at.0,
                })
                .collect(),
            placed_at: order.placed_at.0,
        }
    }
}

impl TryFrom<Order> for orders::Order {
    type Error = Malformed;
    fn try_from(order: Order) -> Result<Self, Malformed> {
        let payment = required(order.payment, "an order's payment")?;
        let status_change = |change: StatusChange| {
            Ok::<_, Malformed>(orders::StatusChange {
                status: live_status(change.status)?,
                at: Timestamp(change.at),
            })
        };
        Ok(Self {
            id: OrderId(id(order.id, "an order's id")?),
            version: order.version,
            status: live_status(order.status)?,
            cart: CartId(id(order.cart, "an order's cart")?),
            user: order.user.map(|user| UserId(user.get())),
            currency: currency(&order.currency)?,
            lines: order.lines.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            total: order.total,
            details: required(order.details, "an order's details")?.into(),
            payment: payment::Authorization { method: payment.method, reference: payment.reference },
            history: order.history.into_iter().map(status_change).collect::<Result<_, _>>()?,
            placed_at: Timestamp(order.placed_at),
        })
    }
}

impl From<&orders::OrderLine> for OrderLine {
    fn from(line: &orders::OrderLine) -> Self {
        Self {
            sku: line.sku.to_string(),
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            line_total: line.line_total,
        }
    }
}

impl TryFrom<OrderLine> for orders::OrderLine {
    type Error = Malformed;
    fn try_from(line: OrderLine) -> Result<Self, Malformed> {
        let OrderLine { quantity, unit_price, line_total, name, .. } = line;
        Ok(Self { sku: sku(&line.sku)?, name, quantity, unit_price, line_total })
    }
}

impl From<&orders::CheckoutDetails> for CheckoutDetails {
    fn from(details: &orders::CheckoutDetails) -> Self {
        Self {
            email: details.email.clone(),
            shipping_address: details.shipping_address.clone(),
            metadata: details.metadata.clone(),
        }
    }
}

impl From<CheckoutDetails> for orders::CheckoutDetails {
    fn from(details: CheckoutDetails) -> Self {
        let CheckoutDetails { email, shipping_address, metadata } = details;
        Self { email, shipping_address, metadata }
    }
}

impl From<LiveStatus> for OrderStatus {
    fn from(status: LiveStatus) -> Self {
        match status {
            LiveStatus::Placed => Self::Placed,
            LiveStatus::Paid => Self::Paid,
            LiveStatus::Packed => Self::Packed,
            LiveStatus::Shipped => Self::Shipped,
            LiveStatus::Delivered => Self::Delivered,
            LiveStatus::Cancelled => Self::Cancelled,
            LiveStatus::Refunded => Self::Refunded,
        }
    }
}

fn live_status(status: i32) -> Result<LiveStatus, Malformed> {
    match OrderStatus::try_from(status).unwrap_or_default() {
        OrderStatus::Unspecified => Err(Malformed::Missing("an order's status")),
        OrderStatus::Placed => Ok(LiveStatus::Placed),
        OrderStatus::Paid => Ok(LiveStatus::Paid),
        OrderStatus::Packed => Ok(LiveStatus::Packed),
        OrderStatus::Shipped => Ok(LiveStatus::Shipped),
        OrderStatus::Delivered => Ok(LiveStatus::Delivered),
        OrderStatus::Cancelled => Ok(LiveStatus::Cancelled),
        OrderStatus::Refunded => Ok(LiveStatus::Refunded),
    }
}
