//! A gateway that does not answer, or not in time.

use std::{sync::Arc, time::Duration};

use smartcart_domain::{
    cart::CartStatus,
    checkout::AbortReason,
    request::{CheckoutRejection, Ordered, RequestError},
};

use crate::{
    gateway::{Call, Event, Gateway},
    shop::{STOCKED, Shop, until},
};

fn must_be_unavailable(answer: Result<Ordered, RequestError<CheckoutRejection>>) {
    let refused = answer.unwrap_err();
    let RequestError::Rejected(CheckoutRejection::Aborted {
        reason: AbortReason::PaymentUnavailable { .. },
        replayed: false,
    }) = refused
    else {
        panic!("{refused:?}")
    };
}

/// No capture begins after a void has.
fn must_be_in_order(gateway: &Gateway) {
    let events = gateway.events();
    let voided = events.iter().position(|event| *event == Event::Begins(Call::Void));
    let captured = events.iter().rposition(|event| *event == Event::Begins(Call::Capture));
    assert!(captured < voided || voided.is_none(), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_answer_has_not_declined_and_the_key_may_try_again() {
    let gateway = Gateway::open();
    let shop = Shop::open(gateway.clone()).await;
    let cart = shop.cart_with(&["mug"]).await;
    gateway.close(Call::Authorize);
    must_be_unavailable(shop.checkout(cart, "buy").await);
    shop.has("mug", STOCKED).await;
    let open = shop.cart(cart).await;
    assert_eq!((open.status(open.updated_at), open.quantity()), (CartStatus::Open, 2));
    must_be_unavailable(shop.checkout(cart, "buy").await);
    gateway.reopen(Call::Authorize);
    let ordered = shop.checkout(cart, "buy").await.unwrap();
    assert!(!ordered.replayed);
    let again = shop.checkout(cart, "buy").await.unwrap();
    assert_eq!((again.order.id, again.replayed), (ordered.order.id, true), "this outcome is remembered");
    let mut asked = gateway.orders(Event::Begins(Call::Authorize));
    asked.dedup();
    assert_eq!(asked.len(), 3, "each attempt asked for an order of its own");
    shop.settles(cart).await;
    assert_eq!(
        gateway.orders(Event::Done(Call::Void)),
        asked[..2],
        "what it may have promised is given back"
    );
    shop.audit().await;
}

#[tokio::test(start_paused = true)]
async fn while_nothing_of_the_gateway_answers_each_attempt_is_told_so() {
    let gateway = Gateway::open();
    let shop = Shop::open(gateway.clone()).await;
    let cart = shop.cart_with(&["mug"]).await;
    gateway.close(Call::Authorize);
    gateway.close(Call::Void);
    for key in ["first", "first", "second"] {
        must_be_unavailable(shop.checkout(cart, key).await);
        shop.has("mug", STOCKED).await;
    }
    gateway.reopen(Call::Authorize);
    gateway.reopen(Call::Void);
    until(async || shop.checkout(cart, "second").await.is_ok()).await;
    shop.has("mug", STOCKED - 2).await;
    shop.audit().await;
}

async fn cancelled_while_captured() -> (Arc<Gateway>, Arc<Shop>) {
    let gateway = Gateway::open();
    gateway.close(Call::Capture);
    let shop = Arc::new(Shop::open(gateway.clone()).await);
    let cart = shop.cart_with(&["mug"]).await;
    let order = shop.checkout(cart, "buy").await.unwrap().order.id;
    until(async || gateway.events().contains(&Event::Begins(Call::Capture))).await;
    let cancelling = tokio::spawn({
        let shop = shop.clone();
        async move { shop.cancel(order).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gateway.orders(Event::Begins(Call::Void)), [], "a void would meet the capture under way");
    drop(cancelling);
    (gateway, shop)
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_waits_for_the_capture_under_way() {
    let (gateway, shop) = cancelled_while_captured().await;
    gateway.reopen(Call::Capture);
    shop.has("mug", STOCKED).await;
    until(async || gateway.events().contains(&Event::Done(Call::Void))).await;
    let captured = gateway.orders(Event::Done(Call::Capture));
    assert_eq!(gateway.orders(Event::Done(Call::Void)), captured, "what was captured is given back");
    must_be_in_order(&gateway);
    shop.audit().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_cancelled_is_not_captured_any_more() {
    let (gateway, shop) = cancelled_while_captured().await;
    // The capture never answers: its call is given up, and no other begins.
    until(async || gateway.events().contains(&Event::Done(Call::Void))).await;
    shop.has("mug", STOCKED).await;
    assert_eq!(gateway.orders(Event::Begins(Call::Capture)).len(), 1);
    assert_eq!(gateway.orders(Event::Done(Call::Capture)), []);
    gateway.reopen(Call::Capture);
    tokio::time::sleep(Duration::from_secs(60)).await;
    must_be_in_order(&gateway);
    shop.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_is_not_answered_is_asked_for_again() {
    let gateway = Gateway::open();
    gateway.close(Call::Capture);
    let shop = Shop::open(gateway.clone()).await;
    let cart = shop.cart_with(&["mug"]).await;
    shop.checkout(cart, "buy").await.unwrap();
    until(async || gateway.orders(Event::Begins(Call::Capture)).len() > 1).await;
    gateway.reopen(Call::Capture);
    shop.settles(cart).await;
    assert_eq!(gateway.orders(Event::Done(Call::Capture)).len(), 1);
    shop.audit().await;
}
