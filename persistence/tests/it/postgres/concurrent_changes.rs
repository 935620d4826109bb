//! Two pods that get the same request, or two requests for the same row, at the same time.

use smartcart_domain::{catalog::Product, idempotency::KeyFingerprint, time::Timestamp};
use smartcart_engine::store::{
    CatalogStore as _, Conflict, Store as _, StoreError, TableKey, UserStore as _,
};

use crate::backend::Postgres;
use smartcart_testkit::conformance::{
    backend::Shop as _,
    samples::{product, user},
};

#[tokio::test]
async fn a_key_makes_one_change() {
    let shop = Postgres::new().await;
    let other = shop.as_pod(2).await;
    for round in 1..=20_u128 {
        let key = Some(TableKey { guard: KeyFingerprint { key: round, request: 1 }, now: Timestamp(1) });
        let product = Product { name: format!("Heart {round}"), ..product("heart", &["85123A"]) };
        let (one, two) = tokio::join!(
            shop.store().put_product(&product, None, key),
            other.store.put_product(&product, None, key)
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one.replayed, two.replayed);
        assert_eq!(one.value, two.value);
        assert_eq!(u128::from(one.value.version), round);
    }
}

#[tokio::test]
async fn a_version_is_written_once() {
    let shop = Postgres::new().await;
    let other = shop.as_pod(2).await;
    for expected in 0..20 {
        let product = Product { name: format!("Heart {expected}"), ..product("heart", &["85123A"]) };
        let (one, two) = tokio::join!(
            shop.store().put_product(&product, Some(expected), None),
            other.store.put_product(&product, Some(expected), None)
        );
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        assert_eq!(won.unwrap().value.version, expected + 1);
        assert!(matches!(lost, Err(StoreError::Stale { version }) if version == expected + 1), "{lost:?}");
    }
}

#[tokio::test]
async fn an_address_is_given_to_one_account() {
    let shop = Postgres::new().await;
    let other = shop.as_pod(2).await;
    let (ada, eve) = (user(1, "ada@example.com"), user(2, "eve@example.com"));
    shop.store().create_user(&ada, None).await.unwrap();
    shop.store().create_user(&eve, None).await.unwrap();
    let moved = |user: &smartcart_domain::users::User| smartcart_domain::users::User {
        version: 2,
        email: "both@example.com".to_owned(),
        ..user.clone()
    };
    let (ada, eve) = (moved(&ada), moved(&eve));
    let (one, two) = tokio::join!(shop.store().update_user(&ada, None), other.store.update_user(&eve, None));
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    won.unwrap();
    assert!(matches!(lost, Err(StoreError::Conflict(Conflict::EmailTaken))), "{lost:?}");
    assert_eq!(other.store.audit().await.unwrap(), []);
}
