use smartcart_domain::failure::{Effect, Failure};
use smartcart_domain::{
    idempotency::{Caller, KeyFingerprint},
    request::{Request, RequestError},
};

use crate::{
    faults::Fault,
    shop::{Shop, request},
};

#[tokio::test]
async fn the_same_key_does_it_once_also_after_a_crash() {
    let shop = Shop::open().await;
    let cart = shop.cart().await;
    assert!(!shop.add_keyed(cart, "mug", 2, "a").await.unwrap().replayed);
    assert!(shop.add_keyed(cart, "mug", 2, "a").await.unwrap().replayed);
    let shop = shop.reopen().await;
    assert!(shop.add_keyed(cart, "mug", 2, "a").await.unwrap().replayed);
    assert_eq!(shop.quantity(cart, "mug").await, 2);
}

#[tokio::test]
async fn a_key_with_another_request_is_refused() {
    let shop = Shop::open().await;
    let cart = shop.cart().await;
    shop.add_keyed(cart, "mug", 2, "a").await.unwrap();
    let other = KeyFingerprint::new(Caller::Guest, "a", 2);
    let request = Request { key: Some(other), ..request(shop.add_command("mug", 3)) };
    assert_eq!(shop.engine.carts().ask(&cart, request).await.unwrap_err(), RequestError::KeyReused);
}

#[tokio::test]
async fn a_lost_answer_of_the_journal_is_asked_for_again() {
    let shop = Shop::open().await;
    let cart = shop.cart().await;
    shop.faults.inject([Fault::LoseAnswer, Fault::LoseAnswer]);
    shop.add(cart, "mug", 2).await.unwrap();
    shop.add(cart, "mug", 1).await.unwrap();
    assert_eq!(shop.quantity(cart, "mug").await, 3);
    let shop = shop.reopen().await;
    assert_eq!(shop.quantity(cart, "mug").await, 3, "neither twice nor lost");
}

#[tokio::test]
async fn a_change_that_was_not_taken_leaves_nothing_and_the_actor_is_rebuilt() {
    let shop = Shop::open().await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 2).await.unwrap();
    shop.faults.inject([Fault::NotTaken]);
    let refused = shop.add_keyed(cart, "mug", 5, "a").await.unwrap_err();
    assert!(
        matches!(refused, RequestError::Failed(Failure { effect: Effect::NotApplied, .. })),
        "{refused:?}"
    );
    assert_eq!(shop.quantity(cart, "mug").await, 2);
    let again = shop.add_keyed(cart, "mug", 5, "a").await.unwrap();
    assert_eq!((again.replayed, again.published.version()), (false, 3));
    assert_eq!(shop.quantity(cart, "mug").await, 7);
}

#[tokio::test]
async fn what_was_built_on_a_failed_change_fails_with_it() {
    let shop = Shop::open().await;
    let cart = shop.cart().await;
    shop.faults.inject([Fault::NotTaken]);
    let (first, second, third) =
        tokio::join!(shop.add(cart, "mug", 1), shop.add(cart, "mug", 1), shop.add(cart, "mug", 1));
    let done = [first, second, third].into_iter().filter(Result::is_ok).count();
    assert_eq!(shop.quantity(cart, "mug").await as usize, done);
    shop.add(cart, "mug", 1).await.unwrap();
    assert_eq!(shop.quantity(cart, "mug").await as usize, done + 1);
    shop.close_and_audit().await;
}

#[tokio::test]
async fn a_broken_journal_stops_changes_and_not_reads() {
    let shop = Shop::open().await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 2).await.unwrap();
    shop.faults.inject([Fault::Break]);
    assert!(matches!(
        shop.add(cart, "mug", 1).await,
        Err(RequestError::Failed(Failure { effect: Effect::NotApplied, .. }))
    ));
    assert!(matches!(
        shop.add(cart, "mug", 1).await,
        Err(RequestError::Failed(Failure { effect: Effect::NotApplied, .. }))
    ));
    assert_eq!(shop.quantity(cart, "mug").await, 2);
    assert!(shop.engine.status().read_only.is_some_and(|why| why.contains("disk has failed")));
    let shop = shop.reopen().await;
    shop.add(cart, "mug", 1).await.unwrap();
    assert_eq!(shop.quantity(cart, "mug").await, 3);
}
