use std::{sync::Arc, time::Duration};

use smartcart_domain::{
    cart,
    failure::{Effect, Failure},
    inventory::StockLevel,
    peer::{Changed, PeerReply},
    request::{self, Ordered, ReadError, Shed},
    snapshot,
};

use super::rejection::Rejection;
use crate::{
    malformed::Malformed,
    v1::{
        cart::CartSnapshot,
        field::{Nothing, required},
        order::Order,
        outcome::Outcome,
    },
};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Reply {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Cart(CartReply),
    #[prost(message, tag = "2")]
    Stock(StockReply),
    #[prost(message, tag = "3")]
    CartRead(CartReply),
    #[prost(message, tag = "4")]
    StockRead(StockReply),
    #[prost(message, tag = "5")]
    Checkout(CheckoutReply),
}

/// The cart when there is an answer; neither it nor a refusal: a reader's cart that never was.
#[derive(Clone, PartialEq, prost::Message)]
struct CartReply {
    #[prost(message, optional, boxed, tag = "1")]
    cart: Option<Box<CartSnapshot>>,
    #[prost(message, optional, tag = "2")]
    answered: Option<Answered>,
    #[prost(message, optional, tag = "3")]
    refusal: Option<RequestError>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StockReply {
    #[prost(message, optional, tag = "1")]
    level: Option<Level>,
    #[prost(message, optional, tag = "2")]
    answered: Option<Answered>,
    #[prost(message, optional, tag = "3")]
    refusal: Option<RequestError>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckoutReply {
    #[prost(message, optional, boxed, tag = "1")]
    order: Option<Box<Order>>,
    #[prost(bool, tag = "2")]
    replayed: bool,
    #[prost(message, optional, tag = "3")]
    refusal: Option<RequestError>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Answered {
    #[prost(oneof = "Outcome", tags = "4, 5, 6, 7, 8, 9, 10")]
    outcome: Option<Outcome>,
    #[prost(bool, tag = "1")]
    replayed: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Level {
    #[prost(uint64, tag = "1")]
    version: u64,
    #[prost(int64, tag = "2")]
    on_hand: i64,
    #[prost(int64, tag = "3")]
    held: i64,
    #[prost(int64, tag = "4")]
    sold: i64,
    #[prost(int64, tag = "5")]
    stocked: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RequestError {
    #[prost(oneof = "Why", tags = "1, 2, 3, 4, 5, 6, 7")]
    why: Option<Why>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Why {
    #[prost(message, tag = "1")]
    Rejected(Rejection),
    #[prost(message, tag = "2")]
    KeyReused(Nothing),
    /// The version it is at.
    #[prost(uint64, tag = "3")]
    Stale(u64),
    /// Milliseconds to wait.
    #[prost(uint64, tag = "4")]
    Shed(u64),
    #[prost(string, tag = "5")]
    NotApplied(String),
    #[prost(string, tag = "6")]
    Indeterminate(String),
    #[prost(message, tag = "7")]
    NotOwner(Nothing),
}

impl<R> From<&request::RequestError<R>> for RequestError
where
    for<'a> Rejection: From<&'a R>,
{
    fn from(refusal: &request::RequestError<R>) -> Self {
        let why = match refusal {
            request::RequestError::Rejected(rejection) => Why::Rejected(rejection.into()),
            request::RequestError::KeyReused => Why::KeyReused(Nothing {}),
            request::RequestError::Stale { version } => Why::Stale(*version),
            request::RequestError::Shed(Shed { retry_after, .. }) => {
                Why::Shed(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX))
            }
            request::RequestError::NotOwner => Why::NotOwner(Nothing {}),
            request::RequestError::Failed(Failure { effect: Effect::Indeterminate, reason }) => {
                Why::Indeterminate(reason.clone())
            }
            // An owner that is fenced did nothing, and its shards get another owner: to who asked, the same as any refusal
            // that may be repeated. Version 1 has no tag of its own for it.
            request::RequestError::Failed(Failure {
                effect: Effect::NotApplied | Effect::Fenced,
                reason,
            }) => Why::NotApplied(reason.clone()),
        };
        Self { why: Some(why) }
    }
}

impl RequestError {
    fn live<R: TryFrom<Rejection, Error = Malformed>>(self) -> Result<request::RequestError<R>, Malformed> {
        Ok(match required(self.why, "a refusal's reason")? {
            Why::Rejected(rejection) => request::RequestError::Rejected(rejection.try_into()?),
            Why::KeyReused(Nothing {}) => request::RequestError::KeyReused,
            Why::Stale(version) => request::RequestError::Stale { version },
            Why::Shed(millis) => request::RequestError::Shed(Shed {
                reason: "owner_overload",
                retry_after: Duration::from_millis(millis),
            }),
            Why::NotApplied(reason) => request::RequestError::not_applied(reason),
            Why::Indeterminate(reason) => request::RequestError::indeterminate(reason),
            Why::NotOwner(Nothing {}) => request::RequestError::NotOwner,
        })
    }
}

fn unreadable(error: &ReadError) -> RequestError {
    RequestError { why: Some(Why::NotApplied(error.0.clone())) }
}

impl Answered {
    fn of<V>(changed: &Changed<V>) -> Self {
        Self { outcome: Some((&changed.outcome).into()), replayed: changed.replayed }
    }

    fn changed<V>(self, view: V) -> Result<Changed<V>, Malformed> {
        Ok(Changed {
            view,
            outcome: required(self.outcome, "an outcome")?.try_into()?,
            replayed: self.replayed,
        })
    }
}

fn encoded_cart(cart: &Arc<cart::Cart>) -> Box<CartSnapshot> {
    let snapshot = snapshot::CartSnapshot { cart: cart.clone(), keys: Vec::new() };
    Box::new((&snapshot).into())
}

fn decoded_cart(snapshot: CartSnapshot) -> Result<Arc<cart::Cart>, Malformed> {
    let snapshot::CartSnapshot { cart, .. } = snapshot.try_into()?;
    Ok(cart)
}

impl From<&StockLevel> for Level {
    fn from(level: &StockLevel) -> Self {
        let StockLevel { version, on_hand, held, sold, stocked } = *level;
        Self { version, on_hand, held, sold, stocked }
    }
}

impl Level {
    const fn live(self) -> StockLevel {
        let Self { version, on_hand, held, sold, stocked } = self;
        StockLevel { version, on_hand, held, sold, stocked }
    }
}

impl From<&PeerReply> for Reply {
    fn from(reply: &PeerReply) -> Self {
        let kind = match reply {
            PeerReply::Cart(Ok(answer)) => Kind::Cart(CartReply {
                cart: Some(encoded_cart(&answer.view)),
                answered: Some(Answered::of(answer)),
                refusal: None,
            }),
            PeerReply::Cart(Err(refusal)) => {
                Kind::Cart(CartReply { refusal: Some(refusal.into()), ..CartReply::default() })
            }
            PeerReply::Stock(Ok(answer)) => Kind::Stock(StockReply {
                level: Some((&answer.view).into()),
                answered: Some(Answered::of(answer)),
                refusal: None,
            }),
            PeerReply::Stock(Err(refusal)) => {
                Kind::Stock(StockReply { refusal: Some(refusal.into()), ..StockReply::default() })
            }
            PeerReply::CartRead(read) => Kind::CartRead(CartReply {
                cart: read.as_ref().ok().and_then(|cart| cart.as_ref().map(encoded_cart)),
                answered: None,
                refusal: read.as_ref().err().map(unreadable),
            }),
            PeerReply::StockRead(read) => Kind::StockRead(StockReply {
                level: read.as_ref().ok().and_then(|stock| stock.as_ref().map(Into::into)),
                answered: None,
                refusal: read.as_ref().err().map(unreadable),
            }),
            PeerReply::Checkout(Ok(ordered)) => Kind::Checkout(CheckoutReply {
                order: Some(Box::new(ordered.order.as_ref().into())),
                replayed: ordered.replayed,
                refusal: None,
            }),
            PeerReply::Checkout(Err(refusal)) => {
                Kind::Checkout(CheckoutReply { refusal: Some(refusal.into()), ..CheckoutReply::default() })
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<Reply> for PeerReply {
    type Error = Malformed;
    fn try_from(reply: Reply) -> Result<Self, Malformed> {
        Ok(match required(reply.kind, "a reply")? {
            Kind::Cart(CartReply { refusal: Some(refusal), .. }) => Self::Cart(Err(refusal.live()?)),
            Kind::Cart(CartReply { cart, answered, .. }) => {
                let cart = decoded_cart(*required(cart, "a cart")?)?;
                Self::Cart(Ok(required(answered, "an answer")?.changed(cart)?))
            }
            Kind::Stock(StockReply { refusal: Some(refusal), .. }) => Self::Stock(Err(refusal.live()?)),
            Kind::Stock(StockReply { level, answered, .. }) => {
                let stock = required(level, "a stock")?.live();
                Self::Stock(Ok(required(answered, "an answer")?.changed(stock)?))
            }
            Kind::CartRead(CartReply { refusal: Some(refusal), .. }) => Self::CartRead(Err(refusal.told())),
            Kind::CartRead(CartReply { cart, .. }) => {
                let cart = cart.map(|cart| decoded_cart(*cart)).transpose()?;
                Self::CartRead(Ok(cart))
            }
            Kind::StockRead(StockReply { refusal: Some(refusal), .. }) => {
                Self::StockRead(Err(refusal.told()))
            }
            Kind::StockRead(StockReply { level, .. }) => Self::StockRead(Ok(level.map(Level::live))),
            Kind::Checkout(CheckoutReply { refusal: Some(refusal), .. }) => {
                Self::Checkout(Err(refusal.live()?))
            }
            Kind::Checkout(CheckoutReply { order, replayed, .. }) => {
                let order = Arc::new((*required(order, "an order")?).try_into()?);
                Self::Checkout(Ok(Ordered { order, replayed }))
            }
        })
    }
}

impl RequestError {
    fn told(self) -> ReadError {
        ReadError(match self.why {
            Some(Why::NotApplied(why)) => why,
            why => format!("the owner refused to be read: {why:?}"),
        })
    }
}
