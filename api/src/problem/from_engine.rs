//! What the engine refuses, as a client reads it.

use serde_json::{Value, json};
use smartcart_domain::{
    cart::CartRejection,
    checkout::{AbortReason, ChangedPrices, PriceChange, Shortage, TotalChange},
    failure::{Effect, Failure},
    inventory::StockRejection,
    money::Money,
    request::{CheckoutRejection, ReadError, RequestError, Shed},
};
use smartcart_engine::{
    engine::orders::OrderError,
    store::{Conflict, StoreError},
};

use super::{Code, FieldCode, FieldError, Problem};

impl<R> From<RequestError<R>> for Problem
where
    Self: From<R>,
{
    fn from(refusal: RequestError<R>) -> Self {
        match refusal {
            RequestError::Rejected(reason) => reason.into(),
            RequestError::KeyReused => Self::plain(Code::IdempotencyKeyReused),
            RequestError::Stale { version } => Self::stale(version),
            RequestError::Shed(Shed { reason, retry_after }) => {
                Self::plain(Code::Overloaded).with("reason", reason).retry_after(retry_after)
            }
            RequestError::NotOwner => Failure::not_applied("its shard is moving to another pod").into(),
            RequestError::Failed(failure) => failure.into(),
        }
    }
}

/// The one place where a failure's effect becomes what a client is told.
impl From<Failure> for Problem {
    fn from(Failure { effect, reason }: Failure) -> Self {
        let code = match effect {
            Effect::NotApplied | Effect::Fenced => Code::Unavailable,
            Effect::Indeterminate => Code::OutcomeUnknown,
        };
        Self::new(code, reason)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Failure::not_applied(error.0).into()
    }
}

impl From<CartRejection> for Problem {
    fn from(rejection: CartRejection) -> Self {
        let detail = rejection.to_string();
        match rejection {
            CartRejection::NotFound => Self::plain(Code::CartNotFound),
            CartRejection::AlreadyExists => Self::plain(Code::CartExists),
            CartRejection::Expired => Self::plain(Code::CartExpired),
            CartRejection::CheckingOut | CartRejection::CheckoutUnderWay | CartRejection::NoSuchCheckout => {
                Self::new(Code::CheckoutInProgress, detail)
            }
            CartRejection::UnknownSku(sku) => Self::new(Code::UnknownSku, detail).with("sku", sku.as_str()),
            CartRejection::NoPrice(sku) => Self::new(Code::NoPrice, detail).with("sku", sku.as_str()),
            CartRejection::ItemNotFound(sku) => {
                Self::new(Code::ItemNotFound, detail).with("sku", sku.as_str())
            }
            CartRejection::CartFull { limit } => Self::new(Code::CartFull, detail).with("limit", limit),
            CartRejection::QuantityOutOfRange { limit } => {
                let error = FieldError::new("/quantity", FieldCode::OutOfRange, detail.clone());
                Self::new(Code::QuantityOutOfRange, detail).with("limit", limit).at(error)
            }
            CartRejection::TotalTooLarge => Self::plain(Code::TotalTooLarge),
            CartRejection::Batch { index, reason } => {
                let place = format!("/operations/{index}");
                let mut problem = Self::from(*reason).with("operation", index).within(&place);
                problem.0.detail = detail.into();
                problem
            }
            CartRejection::CartEmpty => Self::plain(Code::CartEmpty),
            CartRejection::CartOrdered { order } => {
                Self::plain(Code::CartOrdered).with("order_id", order.to_string())
            }
            CartRejection::PriceChanged(prices) => price_changed(*prices),
            CartRejection::ProductUnavailable(lines) => Self::plain(Code::ProductUnavailable)
                .with("skus", lines.iter().map(|line| line.sku.as_str()).collect::<Value>()),
        }
    }
}

fn price_changed(prices: ChangedPrices) -> Problem {
    let ChangedPrices { changes, total: TotalChange { currency, was, now } } = prices;
    let money = |amount| json!(Money::new(amount, currency));
    let change = |one: &PriceChange| json!({ "sku": one.sku, "was": money(one.was), "now": money(one.now) });
    let detail = "send the total that the shopper agrees to as expected_total";
    Problem::new(Code::PriceChanged, detail)
        .with("changes", changes.iter().map(change).collect::<Value>())
        .with("total", json!({ "was": money(was), "now": money(now) }))
}

fn shortage(shortage: &Shortage) -> Value {
    json!({ "sku": shortage.sku, "requested": shortage.requested, "available": shortage.available })
}

impl From<CheckoutRejection> for Problem {
    fn from(rejection: CheckoutRejection) -> Self {
        match rejection {
            CheckoutRejection::Cart(rejection) => rejection.into(),
            CheckoutRejection::Aborted { reason, replayed: true } => Self::from(reason).replayed(),
            CheckoutRejection::Aborted { reason, replayed: false } => reason.into(),
        }
    }
}

impl From<AbortReason> for Problem {
    fn from(reason: AbortReason) -> Self {
        match reason {
            AbortReason::InsufficientStock(items) => Self::plain(Code::InsufficientStock)
                .with("items", items.iter().map(shortage).collect::<Value>()),
            AbortReason::PaymentDeclined { reason } => Self::new(Code::PaymentDeclined, reason),
            AbortReason::PaymentUnavailable { reason } => Self::new(Code::PaymentUnavailable, reason),
            AbortReason::Unavailable { reason } => Self::new(Code::Unavailable, reason),
        }
    }
}

impl From<StockRejection> for Problem {
    fn from(rejection: StockRejection) -> Self {
        let detail = rejection.to_string();
        match rejection {
            StockRejection::InsufficientStock { available } => {
                Self::new(Code::InsufficientStock, detail).with("available", available)
            }
            StockRejection::HoldNotFound => Self::plain(Code::HoldNotFound),
            StockRejection::HoldExists => Self::plain(Code::HoldExists),
            StockRejection::QuantityZero => {
                let error = FieldError::new("/quantity", FieldCode::OutOfRange, detail.clone());
                Self::new(Code::QuantityOutOfRange, detail).at(error)
            }
            StockRejection::TtlOutOfRange { max_seconds } => {
                let error = FieldError::new("/ttl_seconds", FieldCode::OutOfRange, detail.clone());
                Self::new(Code::TtlOutOfRange, detail).with("max_seconds", max_seconds).at(error)
            }
            StockRejection::BelowHeld { held } => Self::new(Code::BelowHeld, detail).with("held", held),
            StockRejection::OnHandOutOfRange { max } => {
                Self::new(Code::OnHandOutOfRange, detail).with("max", max)
            }
            StockRejection::NotSold { sold } => Self::new(Code::NotSold, detail).with("sold", sold),
        }
    }
}

impl From<OrderError> for Problem {
    fn from(failure: OrderError) -> Self {
        match failure {
            OrderError::NotFound => Self::plain(Code::OrderNotFound),
            OrderError::Forbidden(forbidden) => Self::new(
                Code::ForbiddenTransition,
                format!(
                    "an order that is {} does not become {}",
                    forbidden.from.as_str(),
                    forbidden.to.as_str()
                ),
            )
            .with("from", forbidden.from.as_str())
            .with("to", forbidden.to.as_str()),
            OrderError::Stale { version } => Self::stale(version),
            OrderError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Failed(Failure { effect, reason })
            | StoreError::Unwritable(Failure { effect, reason }) => {
                tracing::warn!(?effect, reason, "the store failed; the client gets a 503 and may try again");
                Failure { effect, reason: "the store does not answer".to_owned() }.into()
            }
            StoreError::NotFound => Self::plain(Code::NotFound),
            StoreError::Stale { version } => Self::stale(version),
            StoreError::KeyReused => Self::plain(Code::IdempotencyKeyReused),
            StoreError::Conflict(Conflict::EmailTaken) => Self::plain(Code::EmailTaken),
            StoreError::Conflict(Conflict::SkuTaken { sku, product }) => {
                Self::new(Code::SkuTaken, format!("SKU {sku} belongs to product {product}"))
                    .with("sku", sku.as_str())
                    .with("product", product.as_str())
            }
            error @ (StoreError::Corrupt(_) | StoreError::Conflict(Conflict::Invariant(_))) => {
                Self::internal(&error)
            }
        }
    }
}
