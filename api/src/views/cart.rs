use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use serde_json::value::RawValue;
use smartcart_domain::{
    cart::{Cart, CartStatus, Line},
    catalog::Catalog,
    id::{CartId, UserId},
    money::line_total,
    time::Timestamp,
};
use utoipa::ToSchema;

use super::{MoneyView, Rfc3339, cart_text};
use crate::reply;

/// A cart with its lines.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartView<'a> {
    #[schema(value_type = String, example = "4f9f0ce16a3a4ea2a0c95f3d1f1f8c07")]
    pub(super) id: CartId,
    pub(super) version: u64,
    #[schema(value_type = CartStatusView)]
    pub(super) status: &'static str,
    pub(super) currency: &'a str,
    /// The shopper whose cart it is; null for a guest's.
    #[schema(value_type = Option<String>)]
    pub(super) owner: Option<UserId>,
    #[schema(value_type = Vec<LineView>)]
    pub(super) items: Lines<'a>,
    /// Lines saved for later.
    #[schema(value_type = Vec<LineView>)]
    saved: [(); 0],
    #[schema(value_type = Vec<String>)]
    coupons: [(); 0],
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

#[derive(Debug, ToSchema)]
#[schema(as = CartStatus, rename_all = "snake_case")]
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
        let currency = self.cart.currency.as_str();
        let money = |amount| MoneyView { amount, currency };
        let listing = self.catalog.listing(&line.sku);
        LineView {
            sku: line.sku.as_str(),
            name: listing.map_or(line.sku.as_str(), |listing| &listing.name),
            quantity: line.quantity,
            unit_price: money(line.unit_price),
            current_price: listing.and_then(|listing| listing.price_in(self.cart.currency)).map(money),
            // The cart's rules keep every sum within an i64.
            line_total: money(line_total(line.unit_price, line.quantity).unwrap_or(i64::MAX)),
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

pub fn cart_json(cart: &Cart, catalog: &Catalog, now: Timestamp) -> Bytes {
    let view = CartView::new(cart, catalog, now);
    reply::written(|text| cart_text::write(&view, text))
}

impl<'a> CartView<'a> {
    pub fn new(cart: &'a Cart, catalog: &'a Catalog, now: Timestamp) -> Self {
        let currency = cart.currency.as_str();
        Self {
            id: cart.id,
            version: cart.version,
            status: match cart.status(now) {
                CartStatus::Open => "open",
                CartStatus::CheckingOut => "checking_out",
                CartStatus::Ordered => "ordered",
                CartStatus::Expired => "expired",
            },
            currency,
            owner: cart.owner,
            items: Lines { cart, catalog },
            saved: [],
            coupons: [],
            totals: TotalsView::plain(cart.quantity(), cart.subtotal().unwrap_or(i64::MAX), currency),
            metadata: object(cart.metadata.as_deref()),
            created_at: Rfc3339(cart.created_at),
            updated_at: Rfc3339(cart.updated_at),
            expires_at: Rfc3339(cart.expires_at),
        }
    }
}

/// The JSON object that a storefront gave, as it came; an empty one when it gave none.
pub(super) fn object(text: Option<&str>) -> &RawValue {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| serde_json::from_str("{}").expect("an empty object is JSON"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use smartcart_domain::{
        catalog::{Product, Variant},
        money::Money,
        time::Seconds,
    };

    use super::*;

    #[test]
    fn a_cart_shows_the_price_then_and_now() {
        let currency = "GBP".parse().unwrap();
        let product = Product {
            id: "MUG".parse().unwrap(),
            version: 1,
            name: "Mug \"Ö\"\n".to_owned(),
            description: String::new(),
            category: String::new(),
            images: Vec::new(),
            variants: vec![Variant {
                sku: "MUG-R".parse().unwrap(),
                attributes: BTreeMap::from([("colour".to_owned(), "red".to_owned())]),
                prices: vec![Money::new(750, currency)],
            }],
            updated_at: Timestamp(0),
        };
        let catalog = Catalog::new(1, [product]);
        let cart = Cart {
            id: CartId(1),
            version: 2,
            owner: None,
            currency,
            lines: Box::new([
                Line { sku: "MUG-R".parse().unwrap(), quantity: 2, unit_price: 700 },
                Line { sku: "GONE".parse().unwrap(), quantity: 1, unit_price: 50 },
            ]),
            metadata: Some(r#"{"note":"gift"}"#.into()),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            expires_at: Timestamp(10),
            lifetime: Seconds(1),
            checkout: None,
            last_order: None,
        };
        let json: serde_json::Value =
            serde_json::from_slice(&cart_json(&cart, &catalog, Timestamp(0))).unwrap();
        assert_eq!(json["status"], "open");
        assert_eq!(json["items"][0]["name"], "Mug \"Ö\"\n, red");
        assert_eq!(json["items"][0]["unit_price"], serde_json::json!({"amount": 700, "currency": "GBP"}));
        assert_eq!(json["items"][0]["current_price"]["amount"], 750);
        assert_eq!(json["items"][0]["line_total"]["amount"], 1400);
        assert_eq!(json["items"][1]["current_price"], serde_json::Value::Null);
        assert_eq!(json["totals"]["quantity"], 3);
        assert_eq!(json["totals"]["total"]["amount"], 1450);
        assert_eq!(json["metadata"]["note"], "gift");
        for (owner, metadata) in [(None, None), (Some(UserId(7)), cart.metadata.clone())] {
            let cart = Cart { owner, metadata, ..cart.clone() };
            for catalog in [&catalog, &Catalog::default()] {
                let derived = serde_json::to_vec(&CartView::new(&cart, catalog, Timestamp(0))).unwrap();
                assert_eq!(cart_json(&cart, catalog, Timestamp(0)), derived, "written by hand and by serde");
            }
        }
    }
}
