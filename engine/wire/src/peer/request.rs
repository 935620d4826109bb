use std::{sync::Arc, time::Duration};

use smartcart_domain::peer;
use smartcart_domain::{
    cart::{self, BatchMode, CartCommand, OperationKind},
    catalog::Catalog,
    entity::Entity,
    id::{CartId, HoldId, OrderId, UserId},
    idempotency,
    inventory::StockCommand,
    money::Money,
    payment::PaymentMethod,
    request::{CheckoutRequest, Request},
};

use crate::{
    malformed::Malformed,
    v1::{
        field::{Id, Nothing, currency, id, required, sku},
        order::CheckoutDetails,
        outcome::KeyFingerprint,
    },
};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PeerRequest {
    #[prost(message, optional, tag = "1")]
    terms: Option<Terms>,
    #[prost(oneof = "Kind", tags = "2, 3, 4, 5, 6")]
    kind: Option<Kind>,
}

/// Under which conditions a change is asked for.
#[derive(Clone, PartialEq, prost::Message)]
struct Terms {
    #[prost(oneof = "Caller", tags = "1, 2, 3, 4")]
    caller: Option<Caller>,
    #[prost(message, optional, tag = "5")]
    key: Option<KeyFingerprint>,
    #[prost(uint64, optional, tag = "6")]
    expected: Option<u64>,
    #[prost(bool, tag = "7")]
    fresh: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
enum Caller {
    #[prost(message, tag = "1")]
    Guest(Nothing),
    #[prost(message, tag = "2")]
    User(Id),
    #[prost(message, tag = "3")]
    Service(Nothing),
    #[prost(message, tag = "4")]
    Engine(Nothing),
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "2")]
    Cart(CartRequest),
    #[prost(message, tag = "3")]
    Stock(StockRequest),
    #[prost(message, tag = "4")]
    ReadCart(Id),
    /// The SKU.
    #[prost(string, tag = "5")]
    ReadStock(String),
    #[prost(message, tag = "6")]
    Checkout(Checkout),
}

#[derive(Clone, PartialEq, prost::Message)]
struct CartRequest {
    #[prost(message, optional, tag = "1")]
    id: Option<Id>,
    #[prost(oneof = "CartAct", tags = "2, 3, 4, 5, 6, 7")]
    act: Option<CartAct>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum CartAct {
    #[prost(message, tag = "2")]
    Create(Create),
    #[prost(message, tag = "3")]
    Add(Line),
    #[prost(message, tag = "4")]
    Set(Line),
    /// The SKU.
    #[prost(string, tag = "5")]
    Remove(String),
    #[prost(message, tag = "6")]
    Clear(Nothing),
    #[prost(message, tag = "7")]
    Batch(Batch),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Create {
    #[prost(string, tag = "1")]
    currency: String,
    #[prost(message, optional, tag = "2")]
    owner: Option<Id>,
    #[prost(string, optional, tag = "3")]
    metadata: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(uint32, tag = "2")]
    quantity: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Batch {
    #[prost(bool, tag = "1")]
    best_effort: bool,
    #[prost(message, repeated, tag = "2")]
    operations: Vec<Operation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Operation {
    #[prost(enumeration = "OperationVerb", tag = "1")]
    verb: i32,
    #[prost(message, optional, tag = "2")]
    line: Option<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum OperationVerb {
    Unspecified = 0,
    Add = 1,
    Set = 2,
    Remove = 3,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StockRequest {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(oneof = "StockAct", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14")]
    act: Option<StockAct>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum StockAct {
    #[prost(int64, tag = "2")]
    SetOnHand(i64),
    #[prost(message, tag = "3")]
    Adjust(Adjust),
    #[prost(message, tag = "4")]
    PlaceHold(Hold),
    #[prost(message, tag = "5")]
    ExtendHold(Hold),
    #[prost(message, tag = "6")]
    ReleaseHold(Id),
    #[prost(message, tag = "7")]
    CommitHold(Id),
    #[prost(message, tag = "8")]
    HoldForCheckout(CheckoutHold),
    /// The order.
    #[prost(message, tag = "9")]
    SellForCheckout(Id),
    #[prost(message, tag = "10")]
    ReleaseForCheckout(Id),
    #[prost(message, tag = "11")]
    RestockCancelled(CheckoutHold),
    #[prost(message, tag = "12")]
    ExpireDue(Nothing),
    #[prost(message, tag = "13")]
    KeepForCheckout(Id),
    /// The order.
    #[prost(message, tag = "14")]
    ForgetRestock(Id),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Adjust {
    #[prost(sint64, tag = "1")]
    delta: i64,
    #[prost(string, tag = "2")]
    reason: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Hold {
    #[prost(message, optional, tag = "1")]
    id: Option<Id>,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(uint64, tag = "3")]
    ttl_ms: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct CheckoutHold {
    #[prost(message, optional, tag = "1")]
    order: Option<Id>,
    #[prost(message, optional, tag = "2")]
    cart: Option<Id>,
    #[prost(uint32, tag = "3")]
    quantity: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Checkout {
    #[prost(message, optional, tag = "1")]
    cart: Option<Id>,
    // Tag 2 was `accept_changes`: whatever the price had become.
    #[prost(message, optional, tag = "3")]
    details: Option<CheckoutDetails>,
    #[prost(string, tag = "4")]
    payment_method: String,
    #[prost(string, optional, tag = "5")]
    payment_token: Option<String>,
    #[prost(message, optional, tag = "6")]
    expected_total: Option<Amount>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Amount {
    /// Minor units.
    #[prost(int64, tag = "1")]
    amount: i64,
    #[prost(string, tag = "2")]
    currency: String,
}

impl PeerRequest {
    pub(super) fn of(request: &peer::PeerRequest) -> Option<Self> {
        let (terms, kind) = match request {
            peer::PeerRequest::Cart(id, request) => {
                let act = Some(CartAct::of(&request.command)?);
                (Some(Terms::of(request)), Kind::Cart(CartRequest { id: Some(Id::new(id.0)), act }))
            }
            peer::PeerRequest::Stock(sku, request) => {
                let act = Some(StockAct::of(&request.command));
                (Some(Terms::of(request)), Kind::Stock(StockRequest { sku: sku.to_string(), act }))
            }
            peer::PeerRequest::ReadCart(id) => (None, Kind::ReadCart(Id::new(id.0))),
            peer::PeerRequest::ReadStock(sku) => (None, Kind::ReadStock(sku.to_string())),
            peer::PeerRequest::Checkout(request) => (
                Some(Terms {
                    caller: Some(request.caller.into()),
                    key: Some((&request.key).into()),
                    expected: request.expected,
                    fresh: false,
                }),
                Kind::Checkout(Checkout {
                    cart: Some(Id::new(request.cart.0)),
                    details: Some((&request.details).into()),
                    payment_method: request.payment.method.clone(),
                    payment_token: request.payment.token.clone(),
                    expected_total: request
                        .expected_total
                        .map(|money| Amount { amount: money.amount, currency: money.currency.to_string() }),
                }),
            ),
        };
        Some(Self { terms, kind: Some(kind) })
    }

    pub(super) fn live(self, catalog: &Arc<Catalog>) -> Result<peer::PeerRequest, Malformed> {
        let terms = self.terms;
        let terms = || required(terms, "a request's terms");
        Ok(match required(self.kind, "a request")? {
            Kind::Cart(request) => {
                let command = required(request.act, "what a cart is asked")?.live(catalog)?;
                peer::PeerRequest::Cart(CartId(id(request.id, "a cart's id")?), terms()?.request(command)?)
            }
            Kind::Stock(request) => {
                let command = required(request.act, "what a stock is asked")?.try_into()?;
                peer::PeerRequest::Stock(sku(&request.sku)?, terms()?.request(command)?)
            }
            Kind::ReadCart(cart) => peer::PeerRequest::ReadCart(CartId(cart.get())),
            Kind::ReadStock(text) => peer::PeerRequest::ReadStock(sku(&text)?),
            Kind::Checkout(checkout) => {
                let terms = terms()?;
                peer::PeerRequest::Checkout(CheckoutRequest {
                    cart: CartId(id(checkout.cart, "a cart's id")?),
                    caller: required(terms.caller, "a caller")?.into(),
                    key: required(terms.key, "a checkout's key")?.try_into()?,
                    expected: terms.expected,
                    expected_total: checkout.expected_total.map(TryInto::try_into).transpose()?,
                    details: required(checkout.details, "a checkout's details")?.into(),
                    payment: PaymentMethod { method: checkout.payment_method, token: checkout.payment_token },
                })
            }
        })
    }
}

impl TryFrom<Amount> for Money {
    type Error = Malformed;
    fn try_from(Amount { amount, currency: text }: Amount) -> Result<Self, Malformed> {
        Ok(Self::new(amount, currency(&text)?))
    }
}

impl Terms {
    fn of<E: Entity>(request: &Request<E>) -> Self {
        Self {
            caller: Some(request.caller.into()),
            key: request.key.as_ref().map(Into::into),
            expected: request.expected,
            fresh: request.fresh,
        }
    }

    fn request<E: Entity>(self, command: E::Command) -> Result<Request<E>, Malformed> {
        Ok(Request {
            command,
            caller: required(self.caller, "a caller")?.into(),
            key: self.key.map(TryInto::try_into).transpose()?,
            expected: self.expected,
            fresh: self.fresh,
        })
    }
}

impl From<idempotency::Caller> for Caller {
    fn from(caller: idempotency::Caller) -> Self {
        match caller {
            idempotency::Caller::Guest => Self::Guest(Nothing {}),
            idempotency::Caller::User(user) => Self::User(Id::new(user.0)),
            idempotency::Caller::Service => Self::Service(Nothing {}),
            idempotency::Caller::Engine => Self::Engine(Nothing {}),
        }
    }
}

impl From<Caller> for idempotency::Caller {
    fn from(caller: Caller) -> Self {
        match caller {
            Caller::Guest(Nothing {}) => Self::Guest,
            Caller::User(user) => Self::User(UserId(user.get())),
            Caller::Service(Nothing {}) => Self::Service,
            Caller::Engine(Nothing {}) => Self::Engine,
        }
    }
}

impl CartAct {
    /// Nothing: a step of a checkout, which never leaves the cart's own pod.
    fn of(command: &CartCommand) -> Option<Self> {
        let line = |sku: &smartcart_domain::id::Sku, quantity| Line { sku: sku.to_string(), quantity };
        Some(match command {
            CartCommand::Create { currency, owner, metadata } => Self::Create(Create {
                currency: currency.to_string(),
                owner: owner.map(|user| Id::new(user.0)),
                metadata: metadata.as_deref().map(ToOwned::to_owned),
            }),
            CartCommand::AddItem { sku, quantity, .. } => Self::Add(line(sku, *quantity)),
            CartCommand::SetItem { sku, quantity, .. } => Self::Set(line(sku, *quantity)),
            CartCommand::RemoveItem { sku } => Self::Remove(sku.to_string()),
            CartCommand::Clear => Self::Clear(Nothing {}),
            CartCommand::Batch { mode, operations, .. } => Self::Batch(Batch {
                best_effort: *mode == BatchMode::BestEffort,
                operations: operations
                    .iter()
                    .map(|one| Operation {
                        verb: OperationVerb::from(one.kind).into(),
                        line: Some(line(&one.sku, one.quantity)),
                    })
                    .collect(),
            }),
            CartCommand::StartCheckout(_)
            | CartCommand::PlaceOrder { .. }
            | CartCommand::AbortCheckout { .. }
            | CartCommand::SettleCheckout { .. } => return None,
        })
    }

    fn live(self, catalog: &Arc<Catalog>) -> Result<CartCommand, Malformed> {
        let catalog = catalog.clone();
        Ok(match self {
            Self::Create(create) => CartCommand::Create {
                currency: currency(&create.currency)?,
                owner: create.owner.map(|user| UserId(user.get())),
                metadata: create.metadata.map(Into::into),
            },
            Self::Add(line) => {
                CartCommand::AddItem { sku: sku(&line.sku)?, quantity: line.quantity, catalog }
            }
            Self::Set(line) => {
                CartCommand::SetItem { sku: sku(&line.sku)?, quantity: line.quantity, catalog }
            }
            Self::Remove(text) => CartCommand::RemoveItem { sku: sku(&text)? },
            Self::Clear(Nothing {}) => CartCommand::Clear,
            Self::Batch(batch) => CartCommand::Batch {
                mode: if batch.best_effort { BatchMode::BestEffort } else { BatchMode::Atomic },
                operations: batch.operations.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
                catalog,
            },
        })
    }
}

impl From<OperationKind> for OperationVerb {
    fn from(kind: OperationKind) -> Self {
        match kind {
            OperationKind::Add => Self::Add,
            OperationKind::Set => Self::Set,
            OperationKind::Remove => Self::Remove,
        }
    }
}

impl TryFrom<Operation> for cart::Operation {
    type Error = Malformed;
    fn try_from(operation: Operation) -> Result<Self, Malformed> {
        let kind = match operation.verb() {
            OperationVerb::Unspecified => return Err(Malformed::Missing("a batch's operation")),
            OperationVerb::Add => OperationKind::Add,
            OperationVerb::Set => OperationKind::Set,
            OperationVerb::Remove => OperationKind::Remove,
        };
        let line = required(operation.line, "an operation's line")?;
        Ok(Self { kind, sku: sku(&line.sku)?, quantity: line.quantity })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl StockAct {
    fn of(command: &StockCommand) -> Self {
        let checkout = |order: OrderId, cart: Option<CartId>, quantity| CheckoutHold {
            order: Some(Id::new(order.0)),
            cart: cart.map(|cart| Id::new(cart.0)),
            quantity,
        };
        let hold =
            |id: HoldId, quantity, ttl| Hold { id: Some(Id::new(id.0)), quantity, ttl_ms: millis(ttl) };
        match command {
            StockCommand::SetOnHand { on_hand } => Self::SetOnHand(*on_hand),
            StockCommand::Adjust { delta, reason } => {
                Self::Adjust(Adjust { delta: *delta, reason: reason.to_string() })
            }
            StockCommand::PlaceHold { id, quantity, ttl } => Self::PlaceHold(hold(*id, *quantity, *ttl)),
            StockCommand::ExtendHold { id, ttl } => Self::ExtendHold(hold(*id, 0, *ttl)),
            StockCommand::ReleaseHold { id } => Self::ReleaseHold(Id::new(id.0)),
            StockCommand::CommitHold { id } => Self::CommitHold(Id::new(id.0)),
            StockCommand::HoldForCheckout { order, cart, quantity } => {
                Self::HoldForCheckout(checkout(*order, Some(*cart), *quantity))
            }
            StockCommand::SellForCheckout { order } => Self::SellForCheckout(Id::new(order.0)),
            StockCommand::ReleaseForCheckout { order } => Self::ReleaseForCheckout(Id::new(order.0)),
            StockCommand::RestockCancelled { order, quantity } => {
                Self::RestockCancelled(checkout(*order, None, *quantity))
            }
            StockCommand::ExpireDue => Self::ExpireDue(Nothing {}),
            StockCommand::KeepForCheckout { order } => Self::KeepForCheckout(Id::new(order.0)),
            StockCommand::ForgetRestock { order } => Self::ForgetRestock(Id::new(order.0)),
        }
    }
}

impl TryFrom<StockAct> for StockCommand {
    type Error = Malformed;
    fn try_from(act: StockAct) -> Result<Self, Malformed> {
        let hold_id = |hold: &Hold| id(hold.id, "a hold's id").map(HoldId);
        let order_id = |hold: &CheckoutHold| id(hold.order, "an order's id").map(OrderId);
        Ok(match act {
            StockAct::SetOnHand(on_hand) => Self::SetOnHand { on_hand },
            StockAct::Adjust(adjust) => Self::Adjust { delta: adjust.delta, reason: adjust.reason.into() },
            StockAct::PlaceHold(hold) => Self::PlaceHold {
                id: hold_id(&hold)?,
                quantity: hold.quantity,
                ttl: Duration::from_millis(hold.ttl_ms),
            },
            StockAct::ExtendHold(hold) => {
                Self::ExtendHold { id: hold_id(&hold)?, ttl: Duration::from_millis(hold.ttl_ms) }
            }
            StockAct::ReleaseHold(hold) => Self::ReleaseHold { id: HoldId(hold.get()) },
            StockAct::CommitHold(hold) => Self::CommitHold { id: HoldId(hold.get()) },
            StockAct::HoldForCheckout(hold) => Self::HoldForCheckout {
                order: order_id(&hold)?,
                cart: CartId(id(hold.cart, "a cart's id")?),
                quantity: hold.quantity,
            },
            StockAct::SellForCheckout(order) => Self::SellForCheckout { order: OrderId(order.get()) },
            StockAct::ReleaseForCheckout(order) => Self::ReleaseForCheckout { order: OrderId(order.get()) },
            StockAct::RestockCancelled(hold) => {
                Self::RestockCancelled { order: order_id(&hold)?, quantity: hold.quantity }
            }
            StockAct::ExpireDue(Nothing {}) => Self::ExpireDue,
            StockAct::KeepForCheckout(order) => Self::KeepForCheckout { order: OrderId(order.get()) },
            StockAct::ForgetRestock(order) => Self::ForgetRestock { order: OrderId(order.get()) },
        })
    }
}
