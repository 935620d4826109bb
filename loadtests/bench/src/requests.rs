//! Requests that are rendered from parts, without formatting, while the clock runs.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use anyhow::Context;

use crate::{load::drive, shop::Shop, source::Source};

/// Steps through a table of precomputed draws, over and over.
#[derive(Debug)]
struct Draws {
    table: Rc<[u32]>,
    at: usize,
}

impl Draws {
    fn next(&mut self) -> usize {
        let drawn = self.table[self.at];
        self.at = (self.at + 1) % self.table.len();
        drawn as usize
    }
}

/// `POST /v1/carts/{id}/items`, Zipf over carts; the SKU from the cart's own basket.
#[derive(Debug)]
pub struct AddItem {
    shop: Rc<Shop>,
    carts: Draws,
    turn: usize,
}

impl AddItem {
    /// Starts at a different place of the draws for each `slice`.
    pub fn new(shop: &Rc<Shop>, slice: usize) -> Self {
        let table = shop.cart_draws.clone();
        let at = slice.wrapping_mul(104_729) % table.len();
        Self { shop: shop.clone(), carts: Draws { table, at }, turn: slice }
    }
}

impl Source for AddItem {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        let cart = self.carts.next();
        let basket = &self.shop.baskets[cart];
        self.turn = self.turn.wrapping_add(1);
        let sku = self.shop.sku(basket[self.turn % basket.len()]);
        // SKUs are all of one length, and so is the body.
        into.extend_from_slice(b"POST /v1/carts/");
        into.extend_from_slice(self.shop.carts[cart].as_bytes());
        into.extend_from_slice(
            b"/items HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 33\r\n\r\n{\"sku\":\"",
        );
        into.extend_from_slice(sku.as_bytes());
        into.extend_from_slice(b"\",\"quantity\":1}");
        true
    }
}

/// `GET /v1/carts/{id}`, Zipf over carts.
#[derive(Debug)]
pub struct ReadCart {
    shop: Rc<Shop>,
    carts: Draws,
}

impl ReadCart {
    pub fn new(shop: &Rc<Shop>, slice: usize) -> Self {
        let table = shop.cart_draws.clone();
        let at = slice.wrapping_mul(104_729) % table.len();
        Self { shop: shop.clone(), carts: Draws { table, at } }
    }
}

impl Source for ReadCart {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        into.extend_from_slice(b"GET /v1/carts/");
        into.extend_from_slice(self.shop.carts[self.carts.next()].as_bytes());
        into.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\n\r\n");
        true
    }
}

/// Bytes of a cart's reply, on average over the carts as they are read.
pub async fn mean_reply(shop: &Rc<Shop>, address: SocketAddr) -> anyhow::Result<u64> {
    let source = ReadCart::new(shop, 0);
    let measured = drive(address, 8, Duration::from_millis(500), 200, source).await?;
    measured.bytes.checked_div(measured.requests).with_context(|| format!("{address} has no cart to read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_add_announces_the_length_of_its_body() {
        let shop = Rc::new(Shop::for_test(vec!["0123456789abcdef0123456789abcdef".into()]));
        let mut request = Vec::new();
        assert!(AddItem::new(&shop, 0).next(&mut request));
        let text = String::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /v1/carts/0123456789abcdef0123456789abcdef/items HTTP/1.1"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head} {body}");
        let document: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(document["quantity"], 1);
        assert!(document["sku"].as_str().unwrap().starts_with("BENCH-"));
    }
}
