//! Idempotency keys and what they answer.

use smartcart_domain::checkout;
use smartcart_domain::{
    id::{CartId, HoldId, OrderId},
    idempotency::{self, OperationOutcome as LiveOperation, Outcome as LiveOutcome},
    time::ShopTime,
};

use super::field::{Id, Nothing, id, required, sku};
use crate::malformed::Malformed;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyFingerprint {
    #[prost(message, optional, tag = "1")]
    key: Option<Id>,
    #[prost(fixed64, tag = "2")]
    request: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyRecord {
    #[prost(message, optional, tag = "1")]
    key: Option<Id>,
    #[prost(fixed64, tag = "2")]
    request: u64,
    #[prost(int64, tag = "3")]
    at: i64,
    #[prost(oneof = "Outcome", tags = "4, 5, 6, 7, 8, 9, 10")]
    outcome: Option<Outcome>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Outcome {
    #[prost(message, tag = "4")]
    Applied(Nothing),
    #[prost(message, tag = "5")]
    Hold(HoldOutcome),
    #[prost(message, tag = "6")]
    Batch(BatchOutcome),
    #[prost(message, tag = "7")]
    CheckoutStarted(Id),
    #[prost(message, tag = "8")]
    Ordered(Id),
    #[prost(message, tag = "9")]
    CheckoutRefused(RefusedOutcome),
    #[prost(message, tag = "10")]
    CheckoutsToAsk(CheckoutsToAsk),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HoldOutcome {
    #[prost(message, optional, tag = "1")]
    id: Option<Id>,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(int64, tag = "3")]
    deadline: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BatchOutcome {
    #[prost(enumeration = "OperationOutcome", repeated, tag = "1")]
    operations: Vec<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum OperationOutcome {
    Unspecified = 0,
    Applied = 1,
    CartFull = 2,
    QuantityTooLarge = 3,
    ItemNotFound = 4,
    UnknownSku = 5,
    NoPrice = 6,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RefusedOutcome {
    #[prost(message, optional, tag = "1")]
    order: Option<Id>,
    #[prost(message, optional, tag = "2")]
    refusal: Option<AbortReason>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AbortReason {
    #[prost(oneof = "RefusalKind", tags = "1, 2")]
    kind: Option<RefusalKind>,
    /// What gave no answer. A version that does not know this reads a declined payment, as it would have said itself.
    #[prost(enumeration = "Unanswered", tag = "3")]
    unanswered: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum Unanswered {
    Nothing = 0,
    Gateway = 1,
    Other = 2,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum RefusalKind {
    #[prost(message, tag = "1")]
    InsufficientStock(Shortages),
    /// The gateway's reason.
    #[prost(string, tag = "2")]
    PaymentDeclined(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Shortages {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Shortage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Shortage {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(uint32, tag = "2")]
    requested: u32,
    #[prost(int64, tag = "3")]
    available: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CheckoutsToAsk {
    #[prost(message, repeated, tag = "1")]
    checkouts: Vec<CheckoutOfCart>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckoutOfCart {
    #[prost(message, optional, tag = "1")]
    order: Option<Id>,
    #[prost(message, optional, tag = "2")]
    cart: Option<Id>,
}

impl From<&idempotency::KeyFingerprint> for KeyFingerprint {
    fn from(guard: &idempotency::KeyFingerprint) -> Self {
        Self { key: Some(Id::new(guard.key)), request: guard.request }
    }
}

impl TryFrom<KeyFingerprint> for idempotency::KeyFingerprint {
    type Error = Malformed;
    fn try_from(guard: KeyFingerprint) -> Result<Self, Malformed> {
        Ok(Self { key: id(guard.key, "a key")?, request: guard.request })
    }
}

impl From<&idempotency::KeyRecord> for KeyRecord {
    fn from(record: &idempotency::KeyRecord) -> Self {
        Self {
            key: Some(Id::new(record.key)),
            request: record.request,
            at: record.at.0,
            outcome: Some(Outcome::from(&record.outcome)),
        }
    }
}

impl TryFrom<KeyRecord> for idempotency::KeyRecord {
    type Error = Malformed;
    fn try_from(record: KeyRecord) -> Result<Self, Malformed> {
        Ok(Self {
            key: id(record.key, "a key")?,
            request: record.request,
            at: ShopTime(record.at),
            outcome: required(record.outcome, "the outcome of a key")?.try_into()?,
        })
    }
}

impl From<&LiveOutcome> for Outcome {
    fn from(outcome: &LiveOutcome) -> Self {
        match outcome {
            LiveOutcome::Applied => Self::Applied(Nothing {}),
            LiveOutcome::Hold { id, quantity, deadline } => {
                Self::Hold(HoldOutcome { id: Some(Id::new(id.0)), quantity: *quantity, deadline: deadline.0 })
            }
            LiveOutcome::Batch(operations) => Self::Batch(BatchOutcome {
                operations: operations.iter().map(|one| OperationOutcome::from(*one).into()).collect(),
            }),
            LiveOutcome::CheckoutStarted(order) => Self::CheckoutStarted(Id::new(order.0)),
            LiveOutcome::Ordered(order) => Self::Ordered(Id::new(order.0)),
            LiveOutcome::CheckoutRefused(order, refusal) => Self::CheckoutRefused(RefusedOutcome {
                order: Some(Id::new(order.0)),
                refusal: Some(refusal.as_ref().into()),
            }),
            LiveOutcome::CheckoutsToAsk(checkouts) => Self::CheckoutsToAsk(CheckoutsToAsk {
                checkouts: checkouts
                    .iter()
                    .map(|(order, cart)| CheckoutOfCart {
                        order: Some(Id::new(order.0)),
                        cart: Some(Id::new(cart.0)),
                    })
                    .collect(),
            }),
        }
    }
}

impl TryFrom<Outcome> for LiveOutcome {
    type Error = Malformed;
    fn try_from(outcome: Outcome) -> Result<Self, Malformed> {
        Ok(match outcome {
            Outcome::Applied(Nothing {}) => Self::Applied,
            Outcome::Hold(hold) => Self::Hold {
                id: HoldId(id(hold.id, "a hold's id")?),
                quantity: hold.quantity,
                deadline: ShopTime(hold.deadline),
            },
            Outcome::Batch(batch) => {
                let operation = |one: i32| OperationOutcome::try_from(one).unwrap_or_default().try_into();
                Self::Batch(batch.operations.into_iter().map(operation).collect::<Result<_, _>>()?)
            }
            Outcome::CheckoutStarted(order) => Self::CheckoutStarted(OrderId(order.get())),
            Outcome::Ordered(order) => Self::Ordered(OrderId(order.get())),
            Outcome::CheckoutRefused(refused) => Self::CheckoutRefused(
                OrderId(id(refused.order, "an order's id")?),
                Box::new(required(refused.refusal, "a refusal")?.try_into()?),
            ),
            Outcome::CheckoutsToAsk(asked) => {
                let pair = |one: CheckoutOfCart| {
                    let order = OrderId(id(one.order, "an order's id")?);
                    Ok::<_, Malformed>((order, CartId(id(one.cart, "a cart's id")?)))
                };
                Self::CheckoutsToAsk(asked.checkouts.into_iter().map(pair).collect::<Result<_, _>>()?)
            }
        })
    }
}

impl From<LiveOperation> for OperationOutcome {
    fn from(outcome: LiveOperation) -> Self {
        match outcome {
            LiveOperation::Applied => Self::Applied,
            LiveOperation::CartFull => Self::CartFull,
            LiveOperation::QuantityTooLarge => Self::QuantityTooLarge,
            LiveOperation::ItemNotFound => Self::ItemNotFound,
            LiveOperation::UnknownSku => Self::UnknownSku,
            LiveOperation::NoPrice => Self::NoPrice,
        }
    }
}

impl TryFrom<OperationOutcome> for LiveOperation {
    type Error = Malformed;
    fn try_from(outcome: OperationOutcome) -> Result<Self, Malformed> {
        Ok(match outcome {
            OperationOutcome::Unspecified => return Err(Malformed::Missing("an operation's outcome")),
            OperationOutcome::Applied => Self::Applied,
            OperationOutcome::CartFull => Self::CartFull,
            OperationOutcome::QuantityTooLarge => Self::QuantityTooLarge,
            OperationOutcome::ItemNotFound => Self::ItemNotFound,
            OperationOutcome::UnknownSku => Self::UnknownSku,
            OperationOutcome::NoPrice => Self::NoPrice,
        })
    }
}

impl From<&checkout::AbortReason> for AbortReason {
    fn from(refusal: &checkout::AbortReason) -> Self {
        let (kind, unanswered) = match refusal {
            checkout::AbortReason::InsufficientStock(items) => {
                let item = |one: &checkout::Shortage| Shortage {
                    sku: one.sku.to_string(),
                    requested: one.requested,
                    available: one.available,
                };
                let items = items.iter().map(item).collect();
                (RefusalKind::InsufficientStock(Shortages { items }), Unanswered::Nothing)
            }
            checkout::AbortReason::PaymentDeclined { reason } => {
                (RefusalKind::PaymentDeclined(reason.clone()), Unanswered::Nothing)
            }
            checkout::AbortReason::PaymentUnavailable { reason } => {
                (RefusalKind::PaymentDeclined(reason.clone()), Unanswered::Gateway)
            }
            checkout::AbortReason::Unavailable { reason } => {
                (RefusalKind::PaymentDeclined(reason.clone()), Unanswered::Other)
            }
        };
        Self { kind: Some(kind), unanswered: unanswered.into() }
    }
}

impl TryFrom<AbortReason> for checkout::AbortReason {
    type Error = Malformed;
    fn try_from(refusal: AbortReason) -> Result<Self, Malformed> {
        let unanswered = refusal.unanswered();
        Ok(match required(refusal.kind, "a refusal")? {
            RefusalKind::InsufficientStock(shortages) => {
                let item = |one: Shortage| {
                    let sku = sku(&one.sku)?;
                    let (requested, available) = (one.requested, one.available);
                    Ok::<_, Malformed>(checkout::Shortage { sku, requested, available })
                };
                Self::InsufficientStock(shortages.items.into_iter().map(item).collect::<Result<_, _>>()?)
            }
            RefusalKind::PaymentDeclined(reason) => match unanswered {
                Unanswered::Nothing => Self::PaymentDeclined { reason },
                Unanswered::Gateway => Self::PaymentUnavailable { reason },
                Unanswered::Other => Self::Unavailable { reason },
            },
        })
    }
}
