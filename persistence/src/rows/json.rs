//! The lists inside rows that SQL is meant to read: JSON text, in a form of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use smartcart_domain::{
    id::Sku,
    money::{Currency, Money},
    orders::{self, OrderStatus},
    time::Timestamp,
};

use smartcart_wire::Malformed;

#[derive(Serialize, Deserialize)]
struct OrderLine {
    sku: Sku,
    name: String,
    quantity: u32,
    unit_price: i64,
    line_total: i64,
}

#[derive(Serialize, Deserialize)]
struct StatusChange {
    status: String,
    /// Milliseconds since 1970.
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct Price {
    amount: i64,
    currency: Currency,
}

fn encode(value: &impl Serialize, what: &'static str) -> Result<String, Malformed> {
    serde_json::to_string(value).map_err(|e| Malformed::invalid(what, &e))
}

fn decode<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|e| Malformed::invalid(what, &e))
}

pub(crate) fn encode_lines(lines: &[orders::OrderLine]) -> Result<String, Malformed> {
    let line = |line: &orders::OrderLine| OrderLine {
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        line_total: line.line_total,
    };
    encode(&lines.iter().map(line).collect::<Vec<_>>(), "an order's lines")
}

pub(crate) fn decode_lines(text: &str) -> Result<Vec<orders::OrderLine>, Malformed> {
    let lines: Vec<OrderLine> = decode(text, "an order's lines")?;
    let line = |OrderLine { sku, name, quantity, unit_price, line_total }| orders::OrderLine {
        sku,
        name,
        quantity,
        unit_price,
        line_total,
    };
    Ok(lines.into_iter().map(line).collect())
}

pub(crate) fn encode_history(history: &[orders::StatusChange]) -> Result<String, Malformed> {
    let change = |change: &orders::StatusChange| StatusChange {
        status: change.status.as_str().to_owned(),
        at: change.at.0,
    };
    encode(&history.iter().map(change).collect::<Vec<_>>(), "an order's history")
}

pub(crate) fn decode_history(text: &str) -> Result<Vec<orders::StatusChange>, Malformed> {
    let history: Vec<StatusChange> = decode(text, "an order's history")?;
    let change = |StatusChange { status, at }| {
        let status = OrderStatus::parse(&status).ok_or(Malformed::Missing("an order's status"))?;
        Ok(orders::StatusChange { status, at: Timestamp(at) })
    };
    history.into_iter().map(change).collect()
}

pub(crate) fn encode_prices(prices: &[Money]) -> Result<String, Malformed> {
    let price = |price: &Money| Price { amount: price.amount, currency: price.currency };
    encode(&prices.iter().map(price).collect::<Vec<_>>(), "a variant's prices")
}

pub(crate) fn decode_prices(text: &str) -> Result<Vec<Money>, Malformed> {
    let prices: Vec<Price> = decode(text, "a variant's prices")?;
    Ok(prices.into_iter().map(|Price { amount, currency }| Money { amount, currency }).collect())
}

pub(crate) fn encode_attributes(attributes: &BTreeMap<String, String>) -> Result<String, Malformed> {
    encode(attributes, "a variant's attributes")
}

pub(crate) fn decode_attributes(text: &str) -> Result<BTreeMap<String, String>, Malformed> {
    decode(text, "a variant's attributes")
}

pub(crate) fn encode_images(images: &[String]) -> Result<String, Malformed> {
    encode(&images, "a product's images")
}

pub(crate) fn decode_images(text: &str) -> Result<Vec<String>, Malformed> {
    decode(text, "a product's images")
}
