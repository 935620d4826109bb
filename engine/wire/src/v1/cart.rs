use std::sync::Arc;

use smartcart_domain::{
    cart::{self, CartEvent as LiveEvent, CheckoutPhase as LivePhase},
    id::{CartId, OrderId, UserId},
    time::{Seconds, Timestamp},
};
use smartcart_domain::{payment, snapshot};

use super::{
    field::{Id, Nothing, currency, id, required, sku},
    order::{CheckoutDetails, Order, OrderLine},
    outcome::{AbortReason, KeyFingerprint, KeyRecord},
};
use crate::malformed::Malformed;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CartSnapshot {
    #[prost(message, optional, tag = "1")]
    id: Option<Id>,
    #[prost(uint64, tag = "2")]
    version: u64,
    #[prost(message, optional, tag = "3")]
    owner: Option<Id>,
    #[prost(string, tag = "4")]
    currency: String,
    #[prost(message, repeated, tag = "5")]
    lines: Vec<Line>,
    #[prost(string, optional, tag = "6")]
    metadata: Option<String>,
    #[prost(int64, tag = "7")]
    created_at: i64,
    #[prost(int64, tag = "8")]
    updated_at: i64,
    #[prost(int64, tag = "9")]
    expires_at: i64,
    #[prost(uint64, tag = "10")]
    lifetime_ms: u64,
    #[prost(message, optional, boxed, tag = "11")]
    checkout: Option<Box<Checkout>>,
    #[prost(message, optional, tag = "12")]
    last_order: Option<Id>,
    #[prost(message, repeated, tag = "13")]
    keys: Vec<KeyRecord>,
    #[prost(int64, optional, tag = "14")]
    last_order_placed_at: Option<i64>,
    /// Something was put in after the last order.
    #[prost(bool, tag = "15")]
    reopened: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(int64, tag = "3")]
    unit_price: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Checkout {
    #[prost(message, optional, tag = "1")]
    order: Option<Id>,
    #[prost(enumeration = "CheckoutPhase", tag = "2")]
    phase: i32,
    #[prost(message, repeated, tag = "3")]
    lines: Vec<OrderLine>,
    #[prost(int64, tag = "4")]
    total: i64,
    #[prost(message, optional, tag = "5")]
    details: Option<CheckoutDetails>,
    #[prost(string, tag = "6")]
    payment_method: String,
    #[prost(string, optional, tag = "7")]
    payment_token: Option<String>,
    #[prost(message, optional, tag = "8")]
    key: Option<KeyFingerprint>,
    #[prost(message, optional, tag = "9")]
    refusal: Option<AbortReason>,
    #[prost(message, optional, tag = "10")]
    user: Option<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum CheckoutPhase {
    Unspecified = 0,
    Started = 1,
    Placed = 2,
    Aborted = 3,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CartEvent {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Created(Created),
    #[prost(message, tag = "2")]
    ItemAdded(Line),
    #[prost(message, tag = "3")]
    ItemQuantitySet(Line),
    /// The SKU.
    #[prost(string, tag = "4")]
    ItemRemoved(String),
    #[prost(message, tag = "5")]
    Cleared(Nothing),
    #[prost(message, boxed, tag = "6")]
    CheckoutStarted(Box<Checkout>),
    #[prost(message, boxed, tag = "7")]
    CheckoutPlaced(Box<Order>),
    #[prost(message, tag = "8")]
    CheckoutAborted(CheckoutAborted),
    /// The order.
    #[prost(message, tag = "9")]
    CheckoutSettled(Id),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Created {
    #[prost(message, optional, tag = "1")]
    owner: Option<Id>,
    #[prost(string, tag = "2")]
    currency: String,
    #[prost(string, optional, tag = "3")]
    metadata: Option<String>,
    #[prost(uint64, tag = "4")]
    lifetime_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckoutAborted {
    #[prost(message, optional, tag = "1")]
    order: Option<Id>,
    #[prost(message, optional, tag = "2")]
    refusal: Option<AbortReason>,
}

const fn millis(lifetime: Seconds) -> u64 {
    lifetime.0 as u64 * 1000
}

fn whole_seconds(millis: u64) -> Seconds {
    Seconds(u32::try_from(millis / 1000).unwrap_or(u32::MAX))
}

impl From<&snapshot::CartSnapshot> for CartSnapshot {
    fn from(snapshot: &snapshot::CartSnapshot) -> Self {
        let cart = &snapshot.cart;
        let last_order = cart.last_order.as_deref();
        Self {
            id: Some(Id::new(cart.id.0)),
            version: cart.version,
            owner: cart.owner.map(|user| Id::new(user.0)),
            currency: cart.currency.to_string(),
            lines: cart.lines.iter().map(Into::into).collect(),
            metadata: cart.metadata.as_deref().map(ToOwned::to_owned),
            created_at: cart.created_at.0,
            updated_at: cart.updated_at.0,
            expires_at: cart.expires_at.0,
            lifetime_ms: millis(cart.lifetime),
            checkout: cart.checkout.as_deref().map(|checkout| Box::new(checkout.into())),
            last_order: last_order.map(|last| Id::new(last.id.0)),
            keys: snapshot.keys.iter().map(Into::into).collect(),
            last_order_placed_at: last_order.and_then(|last| last.placed_at).map(|at| at.0),
            reopened: last_order.is_some_and(|last| !last.is_current),
        }
    }
}

impl TryFrom<CartSnapshot> for snapshot::CartSnapshot {
    type Error = Malformed;
    fn try_from(snapshot: CartSnapshot) -> Result<Self, Malformed> {
        let checkout = snapshot.checkout.map(|checkout| cart::Checkout::try_from(*checkout)).transpose()?;
        let last_order = snapshot.last_order.map(|order| cart::LastOrder {
            id: OrderId(order.get()),
            placed_at: snapshot.last_order_placed_at.map(Timestamp),
            // Earlier versions did not say it: what is in the cart was put in since.
            is_current: !snapshot.reopened && snapshot.lines.is_empty(),
        });
        let cart = cart::Cart {
            id: CartId(id(snapshot.id, "a cart's id")?),
            version: snapshot.version,
            owner: snapshot.owner.map(|user| UserId(user.get())),
            currency: currency(&snapshot.currency)?,
            lines: snapshot.lines.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            metadata: snapshot.metadata.map(Into::into),
            created_at: Timestamp(snapshot.created_at),
            updated_at: Timestamp(snapshot.updated_at),
            expires_at: Timestamp(snapshot.expires_at),
            lifetime: whole_seconds(snapshot.lifetime_ms),
            checkout: checkout.map(Box::new),
            last_order: last_order.map(Box::new),
        };
        let keys = snapshot.keys.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(Self { cart: Arc::new(cart), keys })
    }
}

impl From<&cart::Line> for Line {
    fn from(line: &cart::Line) -> Self {
        Self { sku: line.sku.to_string(), quantity: line.quantity, unit_price: line.unit_price }
    }
}

impl TryFrom<Line> for cart::Line {
    type Error = Malformed;
    fn try_from(line: Line) -> Result<Self, Malformed> {
        Ok(Self { sku: sku(&line.sku)?, quantity: line.quantity, unit_price: line.unit_price })
    }
}

impl From<&cart::Checkout> for Checkout {
    fn from(checkout: &cart::Checkout) -> Self {
        let phase = match checkout.phase {
            LivePhase::Started => CheckoutPhase::Started,
            LivePhase::Placed => CheckoutPhase::Placed,
            LivePhase::Aborted => CheckoutPhase::Aborted,
        };
        Self {
            order: Some(Id::new(checkout.order.0)),
            phase: phase.into(),
            lines: checkout.lines.iter().map(Into::into).collect(),
            total: checkout.total,
            details: Some((&checkout.details).into()),
            payment_method: checkout.payment.method.clone(),
            payment_token: checkout.payment.token.clone(),
            key: checkout.key.as_ref().map(Into::into),
            refusal: checkout.refusal.as_ref().map(Into::into),
            user: checkout.user.map(|user| Id::new(user.0)),
        }
    }
}

impl TryFrom<Checkout> for cart::Checkout {
    type Error = Malformed;
    fn try_from(checkout: Checkout) -> Result<Self, Malformed> {
        let phase = match CheckoutPhase::try_from(checkout.phase).unwrap_or_default() {
            CheckoutPhase::Unspecified => return Err(Malformed::Missing("a checkout's phase")),
            CheckoutPhase::Started => LivePhase::Started,
            CheckoutPhase::Placed => LivePhase::Placed,
            CheckoutPhase::Aborted => LivePhase::Aborted,
        };
        Ok(Self {
            order: OrderId(id(checkout.order, "an order's id")?),
            phase,
            lines: checkout.lines.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            total: checkout.total,
            details: required(checkout.details, "a checkout's details")?.into(),
            payment: payment::PaymentMethod {
                method: checkout.payment_method,
                token: checkout.payment_token,
            },
            key: checkout.key.map(TryInto::try_into).transpose()?,
            refusal: checkout.refusal.map(TryInto::try_into).transpose()?,
            user: checkout.user.map(|user| UserId(user.get())),
        })
    }
}

impl From<&LiveEvent> for CartEvent {
    fn from(event: &LiveEvent) -> Self {
        let line = |sku: &smartcart_domain::id::Sku, quantity: u32, unit_price: i64| Line {
            sku: sku.to_string(),
            quantity,
            unit_price,
        };
        let kind = match event {
            LiveEvent::Created { owner, currency, metadata, lifetime } => Kind::Created(Created {
                owner: owner.map(|user| Id::new(user.0)),
                currency: currency.to_string(),
                metadata: metadata.as_deref().map(ToOwned::to_owned),
                lifetime_ms: millis(*lifetime),
            }),
            LiveEvent::ItemAdded { sku, quantity, unit_price } => {
                Kind::ItemAdded(line(sku, *quantity, *unit_price))
            }
            LiveEvent::ItemQuantitySet { sku, quantity, unit_price } => {
                Kind::ItemQuantitySet(line(sku, *quantity, *unit_price))
            }
            LiveEvent::ItemRemoved { sku } => Kind::ItemRemoved(sku.to_string()),
            LiveEvent::Cleared => Kind::Cleared(Nothing {}),
            LiveEvent::CheckoutStarted(checkout) => Kind::CheckoutStarted(Box::new(checkout.as_ref().into())),
            LiveEvent::CheckoutPlaced { order } => Kind::CheckoutPlaced(Box::new(order.as_ref().into())),
            LiveEvent::CheckoutAborted { order, refusal } => Kind::CheckoutAborted(CheckoutAborted {
                order: Some(Id::new(order.0)),
                refusal: Some(refusal.into()),
            }),
            LiveEvent::CheckoutSettled { order } => Kind::CheckoutSettled(Id::new(order.0)),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<CartEvent> for LiveEvent {
    type Error = Malformed;
    fn try_from(event: CartEvent) -> Result<Self, Malformed> {
        Ok(match required(event.kind, "a cart event")? {
            Kind::Created(created) => Self::Created {
                owner: created.owner.map(|user| UserId(user.get())),
                currency: currency(&created.currency)?,
                metadata: created.metadata.map(Into::into),
                lifetime: whole_seconds(created.lifetime_ms),
            },
            Kind::ItemAdded(Line { sku: text, quantity, unit_price }) => {
                Self::ItemAdded { sku: sku(&text)?, quantity, unit_price }
            }
            Kind::ItemQuantitySet(Line { sku: text, quantity, unit_price }) => {
                Self::ItemQuantitySet { sku: sku(&text)?, quantity, unit_price }
            }
            Kind::ItemRemoved(text) => Self::ItemRemoved { sku: sku(&text)? },
            Kind::Cleared(Nothing {}) => Self::Cleared,
            Kind::CheckoutStarted(checkout) => Self::CheckoutStarted(Box::new((*checkout).try_into()?)),
            Kind::CheckoutPlaced(order) => Self::CheckoutPlaced { order: Arc::new((*order).try_into()?) },
            Kind::CheckoutAborted(aborted) => Self::CheckoutAborted {
                order: OrderId(id(aborted.order, "an order's id")?),
                refusal: required(aborted.refusal, "a refusal")?.try_into()?,
            },
            Kind::CheckoutSettled(order) => Self::CheckoutSettled { order: OrderId(order.get()) },
        })
    }
}
