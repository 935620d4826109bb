use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use serde_json::value::RawValue;
use smartcart_domain::{
    cart::{Cart, CartStatus, LastOrder, Line},
    catalog::Catalog,
    id::{CartId, OrderId, UserId},
    money::line_total,
    time::Timestamp,
};
use utoipa::ToSchema;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{json_object::json_object, money::MoneyView, time::Rfc3339};

/// A cart with its lines.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartView<'a> {
    #[schema(value_type = String, example = "4f9f0ce16a3a4ea2a0c95f3d1f1f8c07")]
    pub(super) id: CartId,
    pub(super) version: u64,
    pub(super) status: CartStatusView,
    pub(super) currency: &'a str,
    /// The shopper whose cart it is; null for a guest's.
    #[schema(value_type = Option<String>)]
    pub(super) owner: Option<UserId>,
    #[schema(value_type = Vec<LineView>)]
    pub(super) items: Lines<'a>,
    /// The order that the cart has become; null once something is put in again.
    #[schema(value_type = Option<String>)]
    pub(super) order_id: Option<OrderId>,
    pub(super) last_order: Option<LastOrderView>,
    /// Lines saved for later.
    #[schema(value_type = Vec<LineView>)]
    pub(super) saved: [(); 0],
    #[schema(value_type = Vec<String>)]
    pub(super) coupons: [(); 0],
    pub(super) totals: TotalsView<'a>,
    #[schema(value_type = Object)]
    pub(super) metadata: &'a RawValue,
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Rfc3339,
    #[schema(value_type = String, format = DateTime)]
    pub(super) updated_at: Rfc3339,
    #[schema(value_type = String, format = DateTime)]
    pub(super) expires_at: Rfc3339,
}

/// The last order that was placed from a cart.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LastOrder)]
pub struct LastOrderView {
    #[schema(value_type = String)]
    pub(super) id: OrderId,
    /// What people call it.
    #[schema(example = "7ZK3-0Q9D-VX2M")]
    pub(super) number: String,
    /// Null when an earlier version of the shop placed it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) placed_at: Option<Rfc3339>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CartStatus)]
pub enum CartStatusView {
    Open,
    CheckingOut,
    Ordered,
    Expired,
}

/// One SKU of a cart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CartItem)]
pub struct LineView<'a> {
    pub(super) sku: &'a str,
    pub(super) name: &'a str,
    pub(super) quantity: u32,
    /// The price when the shopper last chose it.
    pub(super) unit_price: MoneyView<'a>,
    /// Today's price; null when it is no longer sold in this currency.
    pub(super) current_price: Option<MoneyView<'a>>,
    pub(super) line_total: MoneyView<'a>,
}

/// The sums of a cart, at the prices the shopper saw.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Totals)]
pub struct TotalsView<'a> {
    /// Units in all lines.
    pub quantity: u64,
    pub subtotal: MoneyView<'a>,
    pub discount: MoneyView<'a>,
    pub shipping: MoneyView<'a>,
    pub tax: MoneyView<'a>,
    pub total: MoneyView<'a>,
}

impl<'a> TotalsView<'a> {
    /// Nothing is taken off or added yet.
    pub const fn plain(quantity: u64, subtotal: i64, currency: &'a str) -> Self {
        let sum = MoneyView { amount: subtotal, currency };
        let none = MoneyView { amount: 0, currency };
        Self { quantity, subtotal: sum, discount: none, shipping: none, tax: none, total: sum }
    }
}

#[derive(Debug)]
pub(super) struct Lines<'a> {
    cart: &'a Cart,
    catalog: &'a Catalog,
}

impl Lines<'_> {
    pub(super) fn views(&self) -> impl Iterator<Item = LineView<'_>> {
        self.cart.lines.iter().map(|line| self.view(line))
    }

    fn view<'a>(&'a self, line: &'a Line) -> LineView<'a> {
        let Line { sku, quantity, unit_price } = line;
        let currency = self.cart.currency.as_str();
        let money = |amount| MoneyView { amount, currency };
        let listing = self.catalog.listing(sku);
        LineView {
            sku: sku.as_str(),
            name: listing.map_or(sku.as_str(), |listing| &listing.name),
            quantity: *quantity,
            unit_price: money(*unit_price),
            current_price: listing.and_then(|listing| listing.price_in(self.cart.currency)).map(money),
            // The cart's rules keep every sum within an i64.
            line_total: money(line_total(*unit_price, *quantity).unwrap_or(i64::MAX)),
        }
    }
}

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lines = serializer.serialize_seq(Some(self.cart.lines.len()))?;
        for line in self.views() {
            lines.serialize_element(&line)?;
        }
        lines.end()
    }
}

impl From<CartStatus> for CartStatusView {
    fn from(status: CartStatus) -> Self {
        match status {
            CartStatus::Open => Self::Open,
            CartStatus::CheckingOut => Self::CheckingOut,
            CartStatus::Ordered => Self::Ordered,
            CartStatus::Expired => Self::Expired,
        }
    }
}

impl LastOrderView {
    fn new(last: &LastOrder) -> Self {
        let LastOrder { id, placed_at, is_current: _ } = *last;
        Self { id, number: id.number(), placed_at: placed_at.map(Rfc3339) }
    }
}

impl CartStatusView {
    /// Where a cart's rendition begins.
    pub(super) const fn rendition(self) -> u64 {
        self as u64
    }
}

impl LineView<'_> {
    /// The rendition of the lines so far, with what this line shows beside its cart's version: today's name and price.
    pub(super) fn rendition(&self, before: u64) -> u64 {
        let price = self.current_price.map_or(u64::MAX, |price| price.amount.cast_unsigned());
        xxh3_64_with_seed(self.name.as_bytes(), xxh3_64_with_seed(&price.to_le_bytes(), before))
    }
}

impl<'a> CartView<'a> {
    /// Tells apart what is shown of one version: its status, which time changes, and today's names and prices.
    pub fn rendition(&self) -> u64 {
        self.items.views().fold(self.status.rendition(), |before, line| line.rendition(before))
    }

    pub fn new(cart: &'a Cart, catalog: &'a Catalog, now: Timestamp) -> Self {
        // By name, so that a new field is shown or left out on purpose.
        let Cart {
            id,
            version,
            owner,
            currency,
            lines: _,
            metadata,
            created_at,
            updated_at,
            expires_at,
            lifetime: _,
            checkout: _,
            last_order,
        } = cart;
        let currency = currency.as_str();
        Self {
            id: *id,
            version: *version,
            status: cart.status(now).into(),
            currency,
            owner: *owner,
            items: Lines { cart, catalog },
            order_id: cart.order(),
            last_order: last_order.as_deref().map(LastOrderView::new),
            saved: [],
            coupons: [],
            totals: TotalsView::plain(cart.quantity(), cart.subtotal().unwrap_or(i64::MAX), currency),
            metadata: json_object(metadata.as_deref()),
            created_at: Rfc3339(*created_at),
            updated_at: Rfc3339(*updated_at),
            expires_at: Rfc3339(*expires_at),
        }
    }
}
