use crate::{
    checkout::AbortReason,
    id::{CartId, OrderId, Sku, UserId},
    idempotency::KeyFingerprint,
    money::{Currency, line_total},
    orders::{CheckoutDetails, OrderLine},
    payment::PaymentMethod,
    time::{Seconds, Timestamp},
};

/// A cart. Version 0 is a cart that was never created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    pub id: CartId,
    /// Raised by one at each accepted change.
    pub version: u64,
    pub owner: Option<UserId>,
    pub currency: Currency,
    /// In the order in which the shopper put them in.
    pub lines: Box<[Line]>,
    /// A JSON object's text.
    pub metadata: Option<Box<str>>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub expires_at: Timestamp,
    /// How long it lives untouched.
    pub lifetime: Seconds,
    pub checkout: Option<Box<Checkout>>,
    /// The last order placed from this cart. Boxed, since most carts have none.
    pub last_order: Option<Box<LastOrder>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastOrder {
    pub id: OrderId,
    /// Nothing: an earlier version, which did not keep it, placed the order.
    pub placed_at: Option<Timestamp>,
    /// Nothing was put into the cart since: it stands for this order.
    pub is_current: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub sku: Sku,
    pub quantity: u32,
    /// The price when the shopper last chose it, minor units of the cart's currency.
    pub unit_price: i64,
}

/// A checkout under way. The order bears its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    pub order: OrderId,
    pub phase: CheckoutPhase,
    /// What is being bought, at the accepted prices, sorted by SKU: the order in which the SKUs are asked.
    pub lines: Vec<OrderLine>,
    /// Minor units.
    pub total: i64,
    pub details: CheckoutDetails,
    pub payment: PaymentMethod,
    /// The shopper who checks out, whose order it will be; nothing: the cart's owner's.
    pub user: Option<UserId>,
    /// Why it was given up, once it was.
    pub refusal: Option<AbortReason>,
    /// The key of the request, so that its outcome is remembered when it is known.
    pub key: Option<KeyFingerprint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutPhase {
    /// SKUs are being asked for holds; nothing is decided.
    Started,
    /// The order is decided; the holds are being sold and the payment captured.
    Placed,
    /// It was given up; the holds are being released and the payment voided.
    Aborted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartStatus {
    Open,
    CheckingOut,
    /// An order was placed and nothing has been put in since.
    Ordered,
    Expired,
}

impl Cart {
    /// Version 0.
    pub(super) fn never_created(id: CartId) -> Self {
        Self {
            id,
            version: 0,
            owner: None,
            currency: Currency::UNSET,
            lines: Box::default(),
            metadata: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            expires_at: Timestamp::default(),
            lifetime: Seconds::default(),
            checkout: None,
            last_order: None,
        }
    }

    pub const fn exists(&self) -> bool {
        self.version > 0
    }

    pub fn status(&self, now: Timestamp) -> CartStatus {
        match &self.checkout {
            Some(checkout) if checkout.phase == CheckoutPhase::Started => CartStatus::CheckingOut,
            _ if self.order().is_some() => CartStatus::Ordered,
            _ if now >= self.expires_at => CartStatus::Expired,
            _ => CartStatus::Open,
        }
    }

    /// The order that the cart stands for, while nothing was put in since.
    pub fn order(&self) -> Option<OrderId> {
        self.last_order.as_deref().filter(|last| last.is_current).map(|last| last.id)
    }

    pub fn line(&self, sku: &Sku) -> Option<&Line> {
        self.lines.iter().find(|line| line.sku == *sku)
    }

    pub fn quantity(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }

    /// The sum of the lines in minor units, or nothing when it does not fit.
    pub fn subtotal(&self) -> Option<i64> {
        self.lines
            .iter()
            .try_fold(0_i64, |sum, line| sum.checked_add(line_total(line.unit_price, line.quantity)?))
    }

    /// Bytes in memory, about.
    pub fn footprint(&self) -> usize {
        let texts = self.metadata.as_deref().map_or(0, str::len);
        let checkout = self.checkout.as_deref().map_or(0, |checkout| 512 + checkout.lines.len() * 128);
        let last_order = self.last_order.as_deref().map_or(0, size_of_val);
        320 + self.lines.len() * size_of::<Line>() + texts + checkout + last_order
    }
}
