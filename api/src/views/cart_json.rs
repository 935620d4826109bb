//! A cart's JSON, written by hand: every change is answered with it, and the derived form took a third of what a change
//! costs. `CartView` stays the description. The compiler names a field that is not written here, and a test compares the two byte by byte.

use serde::Serialize;
use smartcart_domain::{cart::Cart, catalog::Catalog, time::Timestamp};
use smartcart_engine::published::Encoding;

use super::{
    cart::{CartView, LineView, TotalsView},
    money::MoneyView,
    time::Rfc3339,
};
use crate::json;

pub fn cart_json(cart: &Cart, catalog: &Catalog, now: Timestamp) -> Encoding {
    let view = CartView::new(cart, catalog, now);
    let mut rendition = 0;
    let body = json::written(|text| rendition = write(&view, text));
    Encoding { body, rendition }
}

/// Ids, SKUs, currencies and times need no escaping; a product's name does. Returns the rendition of what it wrote.
fn write(view: &CartView, text: &mut Vec<u8>) -> u64 {
    // By name, so that a new field of the view cannot be forgotten here.
    let CartView {
        id: cart,
        version,
        status,
        currency,
        owner,
        items,
        order_id,
        last_order,
        saved: [],
        coupons: [],
        totals: sums,
        metadata,
        created_at,
        updated_at,
        expires_at,
    } = view;
    // How every amount ends: a cart has one currency, and a dozen amounts.
    let end = format!(",\"currency\":\"{currency}\"}}");
    put(text, "{\"id\":\"");
    id(text, cart.0);
    put(text, "\",\"version\":");
    value(text, version);
    put(text, ",\"status\":");
    value(text, status);
    put(text, ",\"currency\":\"");
    put(text, currency);
    put(text, "\",\"owner\":");
    id_or_null(text, owner.map(|owner| owner.0));
    put(text, ",\"items\":[");
    let mut rendition = status.rendition();
    for (index, item) in items.views().enumerate() {
        put(text, if index == 0 { "" } else { "," });
        line(text, &item, &end);
        rendition = item.rendition(rendition);
    }
    put(text, "],\"order_id\":");
    id_or_null(text, order_id.map(|order| order.0));
    put(text, ",\"last_order\":");
    value(text, last_order);
    put(text, ",\"saved\":[],\"coupons\":[],\"totals\":");
    totals(text, sums, &end);
    put(text, ",\"metadata\":");
    put(text, metadata.get());
    put(text, ",\"created_at\":\"");
    time(text, *created_at);
    put(text, "\",\"updated_at\":\"");
    time(text, *updated_at);
    put(text, "\",\"expires_at\":\"");
    time(text, *expires_at);
    put(text, "\"}");
    rendition
}

fn id_or_null(text: &mut Vec<u8>, known: Option<u128>) {
    let Some(known) = known else { return put(text, "null") };
    put(text, "\"");
    id(text, known);
    put(text, "\"");
}

fn line(text: &mut Vec<u8>, line: &LineView, end: &str) {
    let LineView { sku, name, quantity, unit_price, current_price, line_total } = *line;
    put(text, "{\"sku\":\"");
    put(text, sku);
    put(text, "\",\"name\":");
    value(text, &name);
    put(text, ",\"quantity\":");
    value(text, &quantity);
    put(text, ",\"unit_price\":");
    money(text, unit_price, end);
    put(text, ",\"current_price\":");
    match current_price {
        Some(price) => money(text, price, end),
        None => put(text, "null"),
    }
    put(text, ",\"line_total\":");
    money(text, line_total, end);
    put(text, "}");
}

fn totals(text: &mut Vec<u8>, totals: &TotalsView, end: &str) {
    let TotalsView { quantity, subtotal, discount, shipping, tax, total } = *totals;
    put(text, "{\"quantity\":");
    value(text, &quantity);
    for (name, sum) in [
        (",\"subtotal\":", subtotal),
        (",\"discount\":", discount),
        (",\"shipping\":", shipping),
        (",\"tax\":", tax),
        (",\"total\":", total),
    ] {
        put(text, name);
        money(text, sum, end);
    }
    put(text, "}");
}

fn money(text: &mut Vec<u8>, money: MoneyView, end: &str) {
    put(text, "{\"amount\":");
    value(text, &money.amount);
    put(text, end);
}

fn time(text: &mut Vec<u8>, time: Rfc3339) {
    text.extend_from_slice(&time.text());
}

fn put(text: &mut Vec<u8>, part: &str) {
    text.extend_from_slice(part.as_bytes());
}

fn id(text: &mut Vec<u8>, id: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = id.to_be_bytes().map(|byte| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
    text.extend_from_slice(digits.as_flattened());
}

fn value(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value).expect("numbers and texts have a JSON form");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use smartcart_domain::{
        cart::{LastOrder, Line},
        catalog::{Product, Variant},
        id::{CartId, OrderId, UserId},
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
            serde_json::from_slice(&cart_json(&cart, &catalog, Timestamp(0)).body).unwrap();
        assert_eq!(json["status"], "open");
        assert_eq!(json["items"][0]["name"], "Mug \"Ö\"\n, red");
        assert_eq!(json["items"][0]["unit_price"], serde_json::json!({"amount": 700, "currency": "GBP"}));
        assert_eq!(json["items"][0]["current_price"]["amount"], 750);
        assert_eq!(json["items"][0]["line_total"]["amount"], 1400);
        assert_eq!(json["items"][1]["current_price"], serde_json::Value::Null);
        assert_eq!(json["totals"]["quantity"], 3);
        assert_eq!(json["totals"]["total"]["amount"], 1450);
        assert_eq!(json["metadata"]["note"], "gift");
        let last = |placed_at| LastOrder { id: OrderId(9), placed_at, is_current: true };
        for (owner, metadata, last_order) in [
            (None, None, None),
            (Some(UserId(7)), cart.metadata.clone(), Some(last(Some(Timestamp(5))))),
            (None, None, Some(last(None))),
        ] {
            let cart = Cart { owner, metadata, last_order: last_order.map(Box::new), ..cart.clone() };
            for catalog in [&catalog, &Catalog::default()] {
                let view = CartView::new(&cart, catalog, Timestamp(0));
                let derived = serde_json::to_vec(&view).unwrap();
                let Encoding { body, rendition } = cart_json(&cart, catalog, Timestamp(0));
                assert_eq!(body, derived, "written by hand and by serde");
                assert_eq!(rendition, view.rendition());
            }
        }
    }
}
