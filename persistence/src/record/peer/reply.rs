use std::{sync::Arc, time::Duration};

use smartcart_engine::{
    cart::Cart,
    checkout::Ordered,
    commit,
    directory::{self, Published, Unavailable},
    entity::Entity,
    inventory::{Stock, StockLevel},
    peers,
};

use super::{
    super::{
        Malformed,
        v1::{CartImage, Nothing, Order, Outcome, required},
    },
    rejection::Rejection,
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
    cart: Option<Box<CartImage>>,
    #[prost(message, optional, tag = "2")]
    answered: Option<Answered>,
    #[prost(message, optional, tag = "3")]
    refusal: Option<Refusal>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StockReply {
    #[prost(message, optional, tag = "1")]
    level: Option<Level>,
    #[prost(message, optional, tag = "2")]
    answered: Option<Answered>,
    #[prost(message, optional, tag = "3")]
    refusal: Option<Refusal>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckoutReply {
    #[prost(message, optional, boxed, tag = "1")]
    order: Option<Box<Order>>,
    #[prost(bool, tag = "2")]
    replayed: bool,
    #[prost(message, optional, tag = "3")]
    refusal: Option<Refusal>,
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
struct Refusal {
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
    Overloaded(u64),
    #[prost(string, tag = "5")]
    Unavailable(String),
    #[prost(string, tag = "6")]
    Unknown(String),
    #[prost(message, tag = "7")]
    Elsewhere(Nothing),
}

impl<R> From<&directory::Refusal<R>> for Refusal
where
    for<'a> Rejection: From<&'a R>,
{
    fn from(refusal: &directory::Refusal<R>) -> Self {
        let why = match refusal {
            directory::Refusal::Rejected(rejection) => Why::Rejected(rejection.into()),
            directory::Refusal::KeyReused => Why::KeyReused(Nothing {}),
            directory::Refusal::Stale { version } => Why::Stale(*version),
            directory::Refusal::Overloaded { retry_after, .. } => {
                Why::Overloaded(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX))
            }
            directory::Refusal::Unavailable(why) => Why::Unavailable(why.clone()),
            directory::Refusal::Unknown(why) => Why::Unknown(why.clone()),
            directory::Refusal::Elsewhere => Why::Elsewhere(Nothing {}),
        };
        Self { why: Some(why) }
    }
}

impl Refusal {
    fn live<R: TryFrom<Rejection, Error = Malformed>>(self) -> Result<directory::Refusal<R>, Malformed> {
        Ok(match required(self.why, "a refusal's reason")? {
            Why::Rejected(rejection) => directory::Refusal::Rejected(rejection.try_into()?),
            Why::KeyReused(Nothing {}) => directory::Refusal::KeyReused,
            Why::Stale(version) => directory::Refusal::Stale { version },
            Why::Overloaded(millis) => directory::Refusal::Overloaded {
                reason: "owner_overload",
                retry_after: Duration::from_millis(millis),
            },
            Why::Unavailable(why) => directory::Refusal::Unavailable(why),
            Why::Unknown(why) => directory::Refusal::Unknown(why),
            Why::Elsewhere(Nothing {}) => directory::Refusal::Elsewhere,
        })
    }
}

fn unavailable(unavailable: &Unavailable) -> Refusal {
    Refusal { why: Some(Why::Unavailable(unavailable.0.clone())) }
}

impl Answered {
    fn of<E: Entity>(answer: &directory::Answer<E>) -> Self {
        Self { outcome: Some((&answer.outcome).into()), replayed: answer.replayed }
    }

    fn answer<E: Entity>(self, published: Published<E>) -> Result<directory::Answer<E>, Malformed> {
        Ok(directory::Answer {
            published: Arc::new(published),
            outcome: required(self.outcome, "an outcome")?.try_into()?,
            replayed: self.replayed,
        })
    }
}

fn cart_image(published: &Published<Cart>) -> Box<CartImage> {
    let image = commit::CartImage { cart: published.view().clone(), keys: Vec::new() };
    Box::new((&image).into())
}

fn published_cart(image: CartImage) -> Result<Published<Cart>, Malformed> {
    let commit::CartImage { cart, .. } = image.try_into()?;
    Ok(Published::new(cart))
}

impl From<&StockLevel> for Level {
    fn from(level: &StockLevel) -> Self {
        let StockLevel { version, on_hand, held, sold, stocked } = *level;
        Self { version, on_hand, held, sold, stocked }
    }
}

impl Level {
    fn published(self) -> Published<Stock> {
        let Self { version, on_hand, held, sold, stocked } = self;
        Published::new(StockLevel { version, on_hand, held, sold, stocked })
    }
}

impl From<&peers::Reply> for Reply {
    fn from(reply: &peers::Reply) -> Self {
        let kind = match reply {
            peers::Reply::Cart(Ok(answer)) => Kind::Cart(CartReply {
                cart: Some(cart_image(&answer.published)),
                answered: Some(Answered::of(answer)),
                refusal: None,
            }),
            peers::Reply::Cart(Err(refusal)) => {
                Kind::Cart(CartReply { refusal: Some(refusal.into()), ..CartReply::default() })
            }
            peers::Reply::Stock(Ok(answer)) => Kind::Stock(StockReply {
                level: Some(answer.published.view().into()),
                answered: Some(Answered::of(answer)),
                refusal: None,
            }),
            peers::Reply::Stock(Err(refusal)) => {
                Kind::Stock(StockReply { refusal: Some(refusal.into()), ..StockReply::default() })
            }
            peers::Reply::CartRead(read) => Kind::CartRead(CartReply {
                cart: read.as_ref().ok().and_then(|cart| cart.as_deref().map(cart_image)),
                answered: None,
                refusal: read.as_ref().err().map(unavailable),
            }),
            peers::Reply::StockRead(read) => Kind::StockRead(StockReply {
                level: read.as_ref().ok().and_then(|stock| stock.as_ref().map(|stock| stock.view().into())),
                answered: None,
                refusal: read.as_ref().err().map(unavailable),
            }),
            peers::Reply::Checkout(Ok(ordered)) => Kind::Checkout(CheckoutReply {
                order: Some(Box::new(ordered.order.as_ref().into())),
                replayed: ordered.replayed,
                refusal: None,
            }),
            peers::Reply::Checkout(Err(refusal)) => {
                Kind::Checkout(CheckoutReply { refusal: Some(refusal.into()), ..CheckoutReply::default() })
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<Reply> for peers::Reply {
    type Error = Malformed;
    fn try_from(reply: Reply) -> Result<Self, Malformed> {
        Ok(match required(reply.kind, "a reply")? {
            Kind::Cart(CartReply { refusal: Some(refusal), .. }) => Self::Cart(Err(refusal.live()?)),
            Kind::Cart(CartReply { cart, answered, .. }) => {
                let cart = published_cart(*required(cart, "a cart")?)?;
                Self::Cart(Ok(required(answered, "an answer")?.answer(cart)?))
            }
            Kind::Stock(StockReply { refusal: Some(refusal), .. }) => Self::Stock(Err(refusal.live()?)),
            Kind::Stock(StockReply { level, answered, .. }) => {
                let stock = required(level, "a stock")?.published();
                Self::Stock(Ok(required(answered, "an answer")?.answer(stock)?))
            }
            Kind::CartRead(CartReply { refusal: Some(refusal), .. }) => Self::CartRead(Err(refusal.told())),
            Kind::CartRead(CartReply { cart, .. }) => {
                let cart = cart.map(|cart| published_cart(*cart)).transpose()?;
                Self::CartRead(Ok(cart.map(Arc::new)))
            }
            Kind::StockRead(StockReply { refusal: Some(refusal), .. }) => {
                Self::StockRead(Err(refusal.told()))
            }
            Kind::StockRead(StockReply { level, .. }) => {
                Self::StockRead(Ok(level.map(|level| Arc::new(level.published()))))
            }
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

impl Refusal {
    fn told(self) -> Unavailable {
        Unavailable(match self.why {
            Some(Why::Unavailable(why)) => why,
            why => format!("the owner refused to be read: {why:?}"),
        })
    }
}
