use futures_util::future::join_all;
use smartcart_domain::request::{RequestError, Shed};
use smartcart_engine::{Config, admission::AdmissionConfig};

use crate::shop::Shop;

#[tokio::test]
async fn one_cart_takes_so_many_requests_at_once_and_sheds_the_rest() {
    let admission = AdmissionConfig { per_cart: 4, ..AdmissionConfig::default() };
    let shop = Shop::open_with(Config { admission, ..Config::default() }).await;
    let cart = shop.cart().await;
    let asked = join_all((0..20).map(|_| shop.add(cart, "mug", 1))).await;
    let done = asked.iter().filter(|asked| asked.is_ok()).count();
    let shed = |asked: &&Result<_, RequestError<_>>| {
        matches!(asked, Err(RequestError::Shed(Shed { reason: "busy_cart", .. })))
    };
    assert_eq!((done, asked.iter().filter(shed).count()), (4, 16));
    assert_eq!(shop.quantity(cart, "mug").await, 4, "what was shed was not done");
}

#[tokio::test]
async fn a_stopping_shop_takes_nothing_new_and_finishes_what_it_took() {
    let shop = Shop::open().await;
    let cart = shop.cart().await;
    let (added, stopped) = tokio::join!(shop.add(cart, "mug", 1), shop.engine.stop());
    added.unwrap();
    stopped.unwrap();
    let late = shop.add(cart, "mug", 1).await.unwrap_err();
    assert!(matches!(late, RequestError::Shed(Shed { reason: "draining", .. })), "{late:?}");
    let shop = shop.reopen().await;
    assert_eq!(shop.quantity(cart, "mug").await, 1);
    assert_eq!(shop.engine.status().recovered_entries, 0, "a clean stop leaves nothing to finish");
}
