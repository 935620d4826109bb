//! What gives no answer does not keep a cart and other SKUs' units for ever.

use std::time::Duration;

use smartcart_domain::{
    cart::{CartCommand, CartStatus},
    checkout::AbortReason,
    request::{CheckoutRejection, RequestError},
};

use crate::{
    gateway::{Call, Event, Gateway},
    shop::{STOCKED, Shop, sku, until},
};

/// Long enough for what is idle to leave memory.
const IDLE: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_checkout_whose_sku_cannot_be_read_gives_up_and_releases_the_cart_and_the_others() {
    let gateway = Gateway::open();
    let shop = Shop::open(gateway.clone()).await;
    tokio::time::sleep(IDLE).await;
    shop.store.set_readable(&sku("pot"), false);
    let cart = shop.cart_with(&["mug", "pot", "tin"]).await;
    let refused = shop.checkout(cart, "buy").await.unwrap_err();
    let RequestError::Rejected(CheckoutRejection::Aborted {
        reason: AbortReason::Unavailable { .. },
        replayed: false,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    for name in ["mug", "tin"] {
        shop.has(name, STOCKED).await;
    }
    shop.settles(cart).await;
    let open = shop.cart(cart).await;
    assert_eq!((open.status(open.updated_at), open.quantity()), (CartStatus::Open, 6));
    assert_eq!(gateway.orders(Event::Begins(Call::Authorize)), [], "nobody was asked for money");

    // Without it the rest is bought, under the same key: nothing was decided.
    shop.ask(cart, CartCommand::RemoveItem { sku: sku("pot") }).await;
    let ordered = shop.checkout(cart, "buy").await.unwrap();
    assert!(!ordered.replayed);
    for name in ["mug", "tin"] {
        shop.has(name, STOCKED - 2).await;
    }
    shop.store.set_readable(&sku("pot"), true);
    shop.has("pot", STOCKED).await;
    shop.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_sku_that_comes_back_in_time_is_waited_for() {
    let shop = Shop::open(Gateway::open()).await;
    tokio::time::sleep(IDLE).await;
    shop.store.set_readable(&sku("pot"), false);
    let cart = shop.cart_with(&["mug", "pot"]).await;
    let (ordered, ()) = tokio::join!(shop.checkout(cart, "buy"), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        shop.store.set_readable(&sku("pot"), true);
    });
    ordered.unwrap();
    shop.has("pot", STOCKED - 2).await;
    shop.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_nobody_released_asks_its_cart_and_goes() {
    let shop = Shop::open(Gateway::open()).await;
    let cart = shop.cart_with(&["mug", "pot"]).await;
    tokio::time::sleep(IDLE).await;
    shop.store.set_readable(&sku("pot"), false);
    shop.checkout(cart, "buy").await.unwrap_err();
    shop.settles(cart).await;
    shop.store.set_readable(&sku("pot"), true);
    // A message that was long under way.
    let late = smartcart_domain::inventory::StockCommand::HoldForCheckout {
        order: smartcart_domain::id::OrderId(77),
        cart,
        quantity: 2,
    };
    let request = smartcart_domain::request::Request::of_engine(late, None);
    shop.engine.inventory().ask(&sku("pot"), request).await.unwrap();
    assert_eq!(shop.level("pot").await.held, 2);
    until(async || {
        shop.clock.advance(Duration::from_secs(1));
        shop.level("pot").await.held == 0
    })
    .await;
    shop.audit().await;
}
