//! What pods ask each other. The typed command travels, not the HTTP request: the owner decides with its own catalogue
//! and its own clock.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;

use crate::{
    cart::{Cart, CartRejection},
    checkout::{CheckoutRejection, CheckoutRequest, Ordered},
    commit::EntityKey,
    directory::{Answer, Published, Refusal, Request, Unavailable},
    entity::Entity,
    id::{CartId, IncarnationId, Sku},
    inventory::{Stock, StockRejection},
    ownership::{Epoch, Member},
    shard::ShardId,
};

/// Something for the owner of a shard.
#[derive(Debug)]
pub enum Question {
    Cart(CartId, Request<Cart>),
    Stock(Sku, Request<Stock>),
    ReadCart(CartId),
    ReadStock(Sku),
    Checkout(CheckoutRequest),
}

impl Question {
    pub fn shard(&self) -> ShardId {
        match self {
            Self::Cart(id, _) | Self::ReadCart(id) => EntityKey::Cart(*id).shard(),
            Self::Stock(sku, _) | Self::ReadStock(sku) => EntityKey::Stock(sku.clone()).shard(),
            Self::Checkout(request) => EntityKey::Cart(request.cart).shard(),
        }
    }
}

/// A question on its way.
#[derive(Debug)]
pub struct Envelope<'a> {
    pub question: &'a Question,
    /// The epoch at which the sender believes the receiver owns the shard.
    pub epoch: Epoch,
    /// Pods passed so far, the receiver included.
    pub hops: u8,
    pub deadline: Instant,
}

#[derive(Debug)]
pub enum Reply {
    Cart(Result<Answer<Cart>, Refusal<CartRejection>>),
    Stock(Result<Answer<Stock>, Refusal<StockRejection>>),
    CartRead(Result<Option<Arc<Published<Cart>>>, Unavailable>),
    StockRead(Result<Option<Arc<Published<Stock>>>, Unavailable>),
    Checkout(Result<Ordered, Refusal<CheckoutRejection>>),
}

impl Reply {
    /// Nothing was done: the shard is not here.
    pub(crate) const fn is_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::Cart(Err(Refusal::Elsewhere))
                | Self::Stock(Err(Refusal::Elsewhere))
                | Self::Checkout(Err(Refusal::Elsewhere))
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The receiver does not own the shard; it knows of this epoch. Nothing was done.
    #[error("it owns the shard no more: the shard is at epoch {}", epoch.0)]
    NotOwner { epoch: Epoch },
    /// The question did not leave, or was refused at the door. Nothing was done.
    #[error("the pod cannot be reached: {0}")]
    Unreachable(String),
    /// It may have been done.
    #[error("the pod does not answer: {0}")]
    NoAnswer(String),
}

/// What a peer says of itself and of the one who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    pub incarnation: IncarnationId,
    /// Whether it can reach the registry now.
    pub sees_registry: bool,
    /// Whether, as far as it knows, the asker is alive.
    pub knows_asker: bool,
}

/// The way to other pods.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    async fn ask(&self, to: &Member, envelope: Envelope<'_>) -> Result<Reply, PeerError>;

    /// Asks a pod about itself; short patience.
    async fn probe(&self, to: &Member, asker: IncarnationId) -> Result<Probed, PeerError>;
}

/// A kind of entity that pods can ask each other about.
pub trait Travels: Entity {
    fn question(id: Self::Id, request: Request<Self>) -> Question;
    fn reading(id: Self::Id) -> Question;
    /// The id and the request, back again.
    fn asked(question: Question) -> Option<(Self::Id, Request<Self>)>;
    fn answer(reply: Reply) -> Option<Result<Answer<Self>, Refusal<Self::Rejection>>>;
    fn read(reply: Reply) -> Option<Result<Option<Arc<Published<Self>>>, Unavailable>>;
}

macro_rules! travels {
    ($($entity:ident: $ask:ident, $read:ident, $reads:ident;)*) => {$(
        impl Travels for $entity {
            fn question(id: Self::Id, request: Request<Self>) -> Question {
                Question::$ask(id, request)
            }

            fn reading(id: Self::Id) -> Question {
                Question::$read(id)
            }

            fn asked(question: Question) -> Option<(Self::Id, Request<Self>)> {
                match question {
                    Question::$ask(id, request) => Some((id, request)),
                    _ => None,
                }
            }

            fn answer(reply: Reply) -> Option<Result<Answer<Self>, Refusal<Self::Rejection>>> {
                match reply {
                    Reply::$ask(answer) => Some(answer),
                    _ => None,
                }
            }

            fn read(reply: Reply) -> Option<Result<Option<Arc<Published<Self>>>, Unavailable>> {
                match reply {
                    Reply::$reads(read) => Some(read),
                    _ => None,
                }
            }
        }
    )*};
}

travels! {
    Cart: Cart, ReadCart, CartRead;
    Stock: Stock, ReadStock, StockRead;
}
