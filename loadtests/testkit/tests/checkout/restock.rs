//! Cancelled orders whose SKUs cannot be reached, for however long.

use std::{sync::Arc, time::Duration};

use smartcart_domain::{
    id::{CartId, OrderId},
    limits::KEY_RETENTION,
    money::line_total,
    orders::{CheckoutDetails, Order, OrderLine, OrderStatus, StatusChange},
    payment::Authorization,
    time::Timestamp,
};
use smartcart_engine::store::{EntityStore as _, OrderStore as _, TableBatch};

use crate::{
    gateway::{Call, Event, Gateway},
    shop::{PRICE, STOCKED, Shop, sku, until},
};

const IDLE: Duration = Duration::from_secs(10);
/// More than a round of restocking.
const ROUND: Duration = Duration::from_secs(6);

#[tokio::test(start_paused = true)]
async fn an_order_with_a_sku_that_fails_for_days_restocks_every_sku_once() {
    let gateway = Gateway::open();
    let shop = Shop::open(gateway.clone()).await;
    let cart = shop.cart_with(&["mug", "pot"]).await;
    let order = shop.checkout(cart, "buy").await.unwrap().order;
    shop.settles(cart).await;
    tokio::time::sleep(IDLE).await;
    shop.store.set_readable(&sku("pot"), false);
    shop.cancel(order.id).await;
    shop.has("mug", STOCKED).await;
    // Shop time jumps past the key's day, again and again; each time the order has its turn.
    for _ in 0..4 {
        shop.clock.advance(KEY_RETENTION + Duration::from_secs(1));
        tokio::time::sleep(ROUND).await;
        assert_eq!(shop.level("mug").await.on_hand, STOCKED, "its units come back once");
    }
    shop.store.set_readable(&sku("pot"), true);
    until(async || {
        shop.clock.advance(Duration::from_secs(60));
        shop.level("pot").await.on_hand == STOCKED
    })
    .await;
    assert_eq!(shop.level("mug").await.on_hand, STOCKED);
    until(async || {
        shop.store.orders_to_restock(shop.engine.clock().now(), None, 1).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(gateway.orders(Event::Done(Call::Void)), [order.id]);
    shop.audit().await;
}

/// A cancelled order that is in the tables alone.
async fn cancelled(shop: &Shop, id: u128, name: &str) {
    let line = OrderLine {
        sku: sku(name),
        name: name.to_owned(),
        quantity: 2,
        unit_price: PRICE,
        line_total: line_total(PRICE, 2).unwrap(),
    };
    let placed = Order {
        id: OrderId(id),
        version: 1,
        status: OrderStatus::Placed,
        cart: CartId(id),
        user: None,
        currency: "GBP".parse().unwrap(),
        total: line.line_total,
        lines: vec![line],
        details: CheckoutDetails::default(),
        payment: Authorization { method: "card".to_owned(), reference: "r".to_owned() },
        history: vec![StatusChange { status: OrderStatus::Placed, at: Timestamp(0) }],
        placed_at: Timestamp(0),
    };
    let batch = TableBatch { orders: vec![Arc::new(placed.clone())], ..TableBatch::default() };
    shop.store.flush(&batch).await.unwrap();
    let cancelled = placed.transition(OrderStatus::Cancelled, Timestamp(1)).unwrap();
    shop.store.transition_order(&cancelled, None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn orders_that_always_fail_keep_no_other_waiting() {
    let shop = Shop::open(Gateway::open()).await;
    let cart = shop.cart_with(&["mug"]).await;
    shop.checkout(cart, "buy").await.unwrap();
    shop.settles(cart).await;
    tokio::time::sleep(IDLE).await;
    shop.store.set_readable(&sku("pot"), false);
    for id in 0..250 {
        cancelled(&shop, id, "pot").await;
    }
    tokio::time::sleep(ROUND).await;
    cancelled(&shop, u128::MAX, "mug").await;
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while shop.level("mug").await.on_hand != STOCKED {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    waited.await.expect("its turn comes within a few rounds");
    // Those that fail come back ever later.
    let due = shop.store.orders_to_restock(shop.engine.clock().now(), None, 1_000).await.unwrap();
    assert_eq!(due.len(), 0, "all wait for their next turn");
    shop.clock.advance(Duration::from_secs(60 * 60));
    let due = shop.store.orders_to_restock(shop.engine.clock().now(), None, 1_000).await.unwrap();
    assert_eq!(due.len(), 250, "none is forgotten");
    shop.engine.leave().await;
    shop.engine.stop().await.unwrap();
}
