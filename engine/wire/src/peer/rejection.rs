//! Why a rule said no, so that the client's pod can say it in its own words.

use smartcart_domain::{
    cart::CartRejection,
    checkout::{ChangedPrices, PriceChange, TotalChange, Withdrawn},
    id::OrderId,
    inventory::StockRejection,
    request::CheckoutRejection,
};

use crate::{
    malformed::Malformed,
    v1::{
        field::{Id, currency, required, sku},
        outcome::AbortReason,
    },
};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Rejection {
    #[prost(enumeration = "Reason", tag = "1")]
    reason: i32,
    #[prost(string, tag = "2")]
    sku: String,
    /// The limit, the level, or the operation's place in its batch.
    #[prost(int64, tag = "3")]
    number: i64,
    /// Why the operation of a batch was rejected.
    #[prost(message, optional, boxed, tag = "4")]
    cause: Option<Box<Rejection>>,
    #[prost(message, repeated, tag = "5")]
    prices: Vec<Price>,
    #[prost(message, optional, tag = "6")]
    refusal: Option<AbortReason>,
    /// With changed prices.
    #[prost(message, optional, tag = "7")]
    total: Option<Total>,
    /// With an empty cart: the order that it has become.
    #[prost(message, optional, tag = "8")]
    order: Option<Id>,
    /// The refusal of a checkout that an earlier request began.
    #[prost(bool, tag = "9")]
    replayed: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Total {
    #[prost(string, tag = "1")]
    currency: String,
    #[prost(int64, tag = "2")]
    was: i64,
    #[prost(int64, tag = "3")]
    now: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Price {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(int64, tag = "2")]
    was: i64,
    /// Nothing: it is no longer sold.
    #[prost(int64, optional, tag = "3")]
    now: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum Reason {
    Unspecified = 0,
    CartNotFound = 1,
    CartExists = 2,
    CartExpired = 3,
    CheckingOut = 4,
    CheckoutUnderWay = 5,
    NoSuchCheckout = 6,
    UnknownSku = 7,
    NoPrice = 8,
    ItemNotFound = 9,
    CartFull = 10,
    QuantityOutOfRange = 11,
    TotalTooLarge = 12,
    Batch = 13,
    CartEmpty = 14,
    PriceChanged = 15,
    InsufficientStock = 16,
    HoldNotFound = 17,
    HoldExists = 18,
    QuantityZero = 19,
    TtlOutOfRange = 20,
    BelowHeld = 21,
    OnHandOutOfRange = 22,
    NotSold = 23,
    /// A checkout was given up.
    CheckoutRefused = 24,
}

impl Rejection {
    fn of(reason: Reason) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    fn numbered<N: TryInto<i64>>(reason: Reason, number: N) -> Self {
        Self { number: number.try_into().unwrap_or(i64::MAX), ..Self::of(reason) }
    }

    fn about(reason: Reason, sku: &smartcart_domain::id::Sku) -> Self {
        Self { sku: sku.to_string(), ..Self::of(reason) }
    }

    fn number<N: TryFrom<i64>>(&self) -> Result<N, Malformed> {
        N::try_from(self.number).map_err(|_| Malformed::Missing("a rejection's number"))
    }
}

impl From<&CartRejection> for Rejection {
    fn from(rejection: &CartRejection) -> Self {
        match rejection {
            CartRejection::NotFound => Self::of(Reason::CartNotFound),
            CartRejection::AlreadyExists => Self::of(Reason::CartExists),
            CartRejection::Expired => Self::of(Reason::CartExpired),
            CartRejection::CheckingOut => Self::of(Reason::CheckingOut),
            CartRejection::CheckoutUnderWay => Self::of(Reason::CheckoutUnderWay),
            CartRejection::NoSuchCheckout => Self::of(Reason::NoSuchCheckout),
            CartRejection::UnknownSku(sku) => Self::about(Reason::UnknownSku, sku),
            CartRejection::NoPrice(sku) => Self::about(Reason::NoPrice, sku),
            CartRejection::ItemNotFound(sku) => Self::about(Reason::ItemNotFound, sku),
            CartRejection::CartFull { limit } => Self::numbered(Reason::CartFull, *limit),
            CartRejection::QuantityOutOfRange { limit } => {
                Self::numbered(Reason::QuantityOutOfRange, i64::from(*limit))
            }
            CartRejection::TotalTooLarge => Self::of(Reason::TotalTooLarge),
            CartRejection::Batch { index, reason } => Self {
                cause: Some(Box::new(reason.as_ref().into())),
                ..Self::numbered(Reason::Batch, *index)
            },
            CartRejection::CartEmpty => Self::of(Reason::CartEmpty),
            // As the version before says it: to that one, the cart is empty.
            CartRejection::CartOrdered { order } => {
                Self { order: Some(Id::new(order.0)), ..Self::of(Reason::CartEmpty) }
            }
            CartRejection::PriceChanged(prices) => {
                let ChangedPrices { changes, total } = prices.as_ref();
                let price =
                    |one: &PriceChange| Price { sku: one.sku.to_string(), was: one.was, now: Some(one.now) };
                let TotalChange { currency, was, now } = *total;
                Self {
                    prices: changes.iter().map(price).collect(),
                    total: Some(Total { currency: currency.to_string(), was, now }),
                    ..Self::of(Reason::PriceChanged)
                }
            }
            // As the version before says it: to that one, there is no price now.
            CartRejection::ProductUnavailable(lines) => {
                let price = |one: &Withdrawn| Price { sku: one.sku.to_string(), was: one.was, now: None };
                Self { prices: lines.iter().map(price).collect(), ..Self::of(Reason::PriceChanged) }
            }
        }
    }
}

impl TryFrom<Rejection> for CartRejection {
    type Error = Malformed;
    fn try_from(rejection: Rejection) -> Result<Self, Malformed> {
        Ok(match rejection.reason() {
            Reason::CartNotFound => Self::NotFound,
            Reason::CartExists => Self::AlreadyExists,
            Reason::CartExpired => Self::Expired,
            Reason::CheckingOut => Self::CheckingOut,
            Reason::CheckoutUnderWay => Self::CheckoutUnderWay,
            Reason::NoSuchCheckout => Self::NoSuchCheckout,
            Reason::UnknownSku => Self::UnknownSku(sku(&rejection.sku)?),
            Reason::NoPrice => Self::NoPrice(sku(&rejection.sku)?),
            Reason::ItemNotFound => Self::ItemNotFound(sku(&rejection.sku)?),
            Reason::CartFull => Self::CartFull { limit: rejection.number()? },
            Reason::QuantityOutOfRange => Self::QuantityOutOfRange { limit: rejection.number()? },
            Reason::TotalTooLarge => Self::TotalTooLarge,
            Reason::Batch => Self::Batch {
                index: rejection.number()?,
                reason: Box::new((*required(rejection.cause, "a batch's rejection")?).try_into()?),
            },
            Reason::CartEmpty => match rejection.order {
                Some(order) => Self::CartOrdered { order: OrderId(order.get()) },
                None => Self::CartEmpty,
            },
            Reason::PriceChanged => prices_changed(rejection.prices, rejection.total)?,
            _ => return Err(Malformed::Missing("a cart's rejection")),
        })
    }
}

fn prices_changed(prices: Vec<Price>, total: Option<Total>) -> Result<CartRejection, Malformed> {
    let (mut changes, mut withdrawn) = (Vec::new(), Vec::new());
    for Price { sku: text, was, now } in prices {
        let sku = sku(&text)?;
        match now {
            Some(now) => changes.push(PriceChange { sku, was, now }),
            None => withdrawn.push(Withdrawn { sku, was }),
        }
    }
    if !withdrawn.is_empty() {
        return Ok(CartRejection::ProductUnavailable(withdrawn));
    }
    let Total { currency: text, was, now } = required(total, "what the total has become")?;
    let total = TotalChange { currency: currency(&text)?, was, now };
    Ok(CartRejection::PriceChanged(Box::new(ChangedPrices { changes, total })))
}

impl From<&StockRejection> for Rejection {
    fn from(rejection: &StockRejection) -> Self {
        match rejection {
            StockRejection::InsufficientStock { available } => {
                Self::numbered(Reason::InsufficientStock, *available)
            }
            StockRejection::HoldNotFound => Self::of(Reason::HoldNotFound),
            StockRejection::HoldExists => Self::of(Reason::HoldExists),
            StockRejection::QuantityZero => Self::of(Reason::QuantityZero),
            StockRejection::TtlOutOfRange { max_seconds } => {
                Self::numbered(Reason::TtlOutOfRange, *max_seconds)
            }
            StockRejection::BelowHeld { held } => Self::numbered(Reason::BelowHeld, *held),
            StockRejection::OnHandOutOfRange { max } => Self::numbered(Reason::OnHandOutOfRange, *max),
            StockRejection::NotSold { sold } => Self::numbered(Reason::NotSold, *sold),
        }
    }
}

impl TryFrom<Rejection> for StockRejection {
    type Error = Malformed;
    fn try_from(rejection: Rejection) -> Result<Self, Malformed> {
        Ok(match rejection.reason() {
            Reason::InsufficientStock => Self::InsufficientStock { available: rejection.number },
            Reason::HoldNotFound => Self::HoldNotFound,
            Reason::HoldExists => Self::HoldExists,
            Reason::QuantityZero => Self::QuantityZero,
            Reason::TtlOutOfRange => Self::TtlOutOfRange { max_seconds: rejection.number()? },
            Reason::BelowHeld => Self::BelowHeld { held: rejection.number },
            Reason::OnHandOutOfRange => Self::OnHandOutOfRange { max: rejection.number },
            Reason::NotSold => Self::NotSold { sold: rejection.number },
            _ => return Err(Malformed::Missing("a stock's rejection")),
        })
    }
}

impl From<&CheckoutRejection> for Rejection {
    fn from(rejection: &CheckoutRejection) -> Self {
        match rejection {
            CheckoutRejection::Cart(rejection) => rejection.into(),
            CheckoutRejection::Aborted { reason, replayed } => Self {
                refusal: Some(reason.into()),
                replayed: *replayed,
                ..Self::of(Reason::CheckoutRefused)
            },
        }
    }
}

impl TryFrom<Rejection> for CheckoutRejection {
    type Error = Malformed;
    fn try_from(rejection: Rejection) -> Result<Self, Malformed> {
        match rejection.refusal {
            Some(refusal) => Ok(Self::Aborted { reason: refusal.try_into()?, replayed: rejection.replayed }),
            None => rejection.try_into().map(Self::Cart),
        }
    }
}
