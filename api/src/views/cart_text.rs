//! A cart's JSON, written by hand: every change is answered with it, and the derived form took a third of what a change
//! costs. `CartView` stays the description; a test holds the two to the same bytes.

use serde::Serialize;

use super::{
    MoneyView, Rfc3339,
    cart::{CartView, LineView, TotalsView},
};

/// Ids, SKUs, currencies and times need no escaping; a product's name does.
pub(super) fn write(view: &CartView, text: &mut Vec<u8>) {
    // How every amount ends: a cart has one currency, and a dozen amounts.
    let end = format!(",\"currency\":\"{}\"}}", view.currency);
    put(text, "{\"id\":\"");
    id(text, view.id.0);
    put(text, "\",\"version\":");
    value(text, &view.version);
    put(text, ",\"status\":\"");
    put(text, view.status);
    put(text, "\",\"currency\":\"");
    put(text, view.currency);
    put(text, "\",\"owner\":");
    match view.owner {
        Some(owner) => {
            put(text, "\"");
            id(text, owner.0);
            put(text, "\"");
        }
        None => put(text, "null"),
    }
    put(text, ",\"items\":[");
    for (index, item) in view.items.views().enumerate() {
        put(text, if index == 0 { "" } else { "," });
        line(text, &item, &end);
    }
    put(text, "],\"saved\":[],\"coupons\":[],\"totals\":");
    totals(text, &view.totals, &end);
    put(text, ",\"metadata\":");
    put(text, view.metadata.get());
    put(text, ",\"created_at\":\"");
    time(text, view.created_at);
    put(text, "\",\"updated_at\":\"");
    time(text, view.updated_at);
    put(text, "\",\"expires_at\":\"");
    time(text, view.expires_at);
    put(text, "\"}");
}

fn line(text: &mut Vec<u8>, line: &LineView, end: &str) {
    put(text, "{\"sku\":\"");
    put(text, line.sku);
    put(text, "\",\"name\":");
    value(text, &line.name);
    put(text, ",\"quantity\":");
    value(text, &line.quantity);
    put(text, ",\"unit_price\":");
    money(text, line.unit_price, end);
    put(text, ",\"current_price\":");
    match line.current_price {
        Some(price) => money(text, price, end),
        None => put(text, "null"),
    }
    put(text, ",\"line_total\":");
    money(text, line.line_total, end);
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
