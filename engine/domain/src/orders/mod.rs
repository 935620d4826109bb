//! Orders and their states. An order is written once by a checkout; what follows are transitions.

use serde::{Deserialize, Serialize};

use crate::{
    id::{CartId, OrderId, Sku, UserId},
    money::Currency,
    payment::Authorization,
    time::Timestamp,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    Placed,
    Paid,
    Packed,
    Shipped,
    Delivered,
    Cancelled,
    Refunded,
}

impl OrderStatus {
    pub const ALL: [Self; 7] = [
        Self::Placed,
        Self::Paid,
        Self::Packed,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
        Self::Refunded,
    ];

    /// Which statuses may follow this one.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Paid, Self::Packed, Self::Cancelled],
            Self::Paid => &[Self::Packed, Self::Cancelled, Self::Refunded],
            Self::Packed => &[Self::Shipped, Self::Cancelled],
            Self::Shipped => &[Self::Delivered],
            Self::Delivered => &[Self::Refunded],
            Self::Cancelled | Self::Refunded => &[],
        }
    }

    /// What an order of this status is after `to`; nothing when `to` may not follow. Money may come after the goods have
    /// gone: a payment then counts, once, and the status stays.
    pub fn after(self, to: Self, was_paid: bool) -> Option<Self> {
        let late = to == Self::Paid && matches!(self, Self::Packed | Self::Shipped | Self::Delivered);
        match to {
            Self::Paid if was_paid => None,
            _ if late => Some(self),
            _ => self.next().contains(&to).then_some(to),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Packed => "packed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    pub sku: Sku,
    pub name: String,
    pub quantity: u32,
    /// Minor units of the order's currency.
    pub unit_price: i64,
    pub line_total: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    /// 1 when placed, raised by one at each transition.
    pub version: u64,
    pub status: OrderStatus,
    pub cart: CartId,
    pub user: Option<UserId>,
    pub currency: Currency,
    pub lines: Vec<OrderLine>,
    /// Sum of the lines, minor units.
    pub total: i64,
    pub details: CheckoutDetails,
    pub payment: Authorization,
    pub history: Vec<StatusChange>,
    pub placed_at: Timestamp,
}

/// What the shopper said at checkout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckoutDetails {
    pub email: Option<String>,
    /// The address as the storefront sent it: a JSON object's text.
    pub shipping_address: Option<String>,
    /// The cart's metadata when the order was placed: a JSON object's text.
    pub metadata: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    pub status: OrderStatus,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {from:?} does not become {to:?}")]
pub struct ForbiddenTransition {
    pub from: OrderStatus,
    pub to: OrderStatus,
}

/// The status that a history leads to; nothing when it cannot have happened.
pub fn status_after(history: &[StatusChange]) -> Option<OrderStatus> {
    let (first, rest) = history.split_first()?;
    let mut was_paid = first.status == OrderStatus::Paid;
    rest.iter().try_fold(first.status, |status, change| {
        let next = status.after(change.status, was_paid);
        was_paid |= change.status == OrderStatus::Paid;
        next
    })
}

impl OrderId {
    /// What people call the order: 60 of its id's bits in Crockford's base 32, in groups of four.
    pub fn number(self) -> String {
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut number = String::with_capacity(14);
        for group in 0..12 {
            if group > 0 && group % 4 == 0 {
                number.push('-');
            }
            let digit = (self.0 >> (128 - 5 * (group + 1))) & 31;
            number.push(char::from(DIGITS[usize::try_from(digit).unwrap_or_default()]));
        }
        number
    }
}

impl Order {
    pub fn number(&self) -> String {
        self.id.number()
    }

    /// The order after a transition.
    pub fn transition(&self, to: OrderStatus, at: Timestamp) -> Result<Self, ForbiddenTransition> {
        let was_paid = self.history.iter().any(|change| change.status == OrderStatus::Paid);
        let status = self.status.after(to, was_paid).ok_or(ForbiddenTransition { from: self.status, to })?;
        let mut next = self.clone();
        next.status = status;
        next.version += 1;
        next.history.push(StatusChange { status: to, at });
        Ok(next)
    }
}
