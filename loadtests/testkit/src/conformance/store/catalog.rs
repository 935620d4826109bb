use smartcart_domain::{
    catalog::Product, idempotency::KeyFingerprint, limits::KEY_RETENTION, time::Timestamp,
};
use smartcart_engine::store::{Conflict, StoreError, TableKey};

use super::super::{
    backend::Shop,
    samples::{product, sku},
};

fn key(key: u128, request: u64, now: i64) -> Option<TableKey> {
    Some(TableKey { guard: KeyFingerprint { key, request }, now: Timestamp(now) })
}

pub async fn products_are_versioned(backend: impl Shop) {
    let store = backend.store();
    assert_eq!(store.load_catalog().await.unwrap(), (0, vec![]));
    let heart = product("heart", &["85123A", "85123B"]);
    let written = store.put_product(&heart, Some(0), None).await.unwrap();
    assert_eq!(written.value, Product { version: 1, ..heart.clone() });
    let exists = store.put_product(&heart, Some(0), None).await;
    assert!(matches!(exists, Err(StoreError::Stale { version: 1 })), "{exists:?}");

    let next = Product { name: "Heart".to_owned(), ..product("heart", &["85123C", "85123A"]) };
    let written = store.put_product(&next, Some(1), None).await.unwrap();
    assert_eq!(written.value.version, 2);
    store.put_product(&product("lamp", &["22423"]), None, None).await.unwrap();
    let stale = store.delete_product(&next.id, Some(1), None).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 2 })), "{stale:?}");

    let backend = backend.restarted().await;
    let store = backend.store();
    let (generation, products) = store.load_catalog().await.unwrap();
    assert_eq!(generation, 3);
    assert_eq!(
        products,
        [Product { version: 2, ..next.clone() }, Product { version: 1, ..product("lamp", &["22423"]) }]
    );
    store.delete_product(&next.id, Some(2), None).await.unwrap();
    let missing = store.delete_product(&next.id, None, None).await;
    assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
    let (generation, products) = store.load_catalog().await.unwrap();
    assert_eq!((generation, products.len()), (4, 1));
}

pub async fn a_version_stands_for_one_product(backend: impl Shop) {
    let store = backend.store();
    let heart = product("heart", &["85123A"]);
    let first = store.put_product(&heart, None, None).await.unwrap().value;
    // The same again is no change, whenever it is said.
    let later = Product { updated_at: Timestamp(9_999), ..heart.clone() };
    let again = store.put_product(&later, None, key(1, 10, 0)).await.unwrap();
    assert_eq!((again.value, again.replayed), (first.clone(), false));
    assert!(store.put_product(&later, None, key(1, 10, 0)).await.unwrap().replayed);
    assert_eq!(store.load_catalog().await.unwrap(), (1, vec![first]));

    store.put_product(&product("heart", &["85123B"]), Some(1), None).await.unwrap();
    store.delete_product(&heart.id, Some(2), None).await.unwrap();
    let backend = backend.restarted().await;
    let store = backend.store();
    let gone = store.put_product(&heart, Some(2), None).await;
    assert!(matches!(gone, Err(StoreError::Stale { version: 0 })), "{gone:?}");
    // What comes back goes on from the version that it had, alone or in an import.
    assert_eq!(store.put_product(&heart, Some(0), None).await.unwrap().value.version, 3);
    store.delete_product(&heart.id, Some(3), None).await.unwrap();
    assert_eq!(store.put_products(&[heart]).await.unwrap()[0].version, 4);
}

pub async fn a_sku_belongs_to_one_product(backend: impl Shop) {
    let store = backend.store();
    store.put_product(&product("heart", &["85123A"]), None, None).await.unwrap();
    let taken = store.put_product(&product("lamp", &["22423", "85123A"]), None, None).await;
    let Err(StoreError::Conflict(conflict)) = taken else { panic!("{taken:?}") };
    assert_eq!(conflict, Conflict::SkuTaken { sku: sku("85123A"), product: "heart".parse().unwrap() });
    assert_eq!(store.load_catalog().await.unwrap().1.len(), 1);
    // A product that is gone has no SKUs.
    store.delete_product(&"heart".parse().unwrap(), None, None).await.unwrap();
    store.put_product(&product("lamp", &["22423", "85123A"]), None, None).await.unwrap();
}

pub async fn an_import_is_all_or_nothing(backend: impl Shop) {
    let store = backend.store();
    store.put_products(&[product("heart", &["85123A"]), product("lamp", &["22423"])]).await.unwrap();
    let clash = [product("bag", &["20725"]), product("box", &["20725"])];
    let refused = store.put_products(&clash).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Conflict::SkuTaken { .. }))), "{refused:?}");
    assert_eq!(store.load_catalog().await.unwrap().0, 1);
    // The SKUs change places.
    let swapped = [product("heart", &["22423"]), product("lamp", &["85123A"])];
    let written = store.put_products(&swapped).await.unwrap();
    assert_eq!(written.iter().map(|product| product.version).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(store.load_catalog().await.unwrap(), (2, written));
}

pub async fn keys_replay_and_guard(backend: impl Shop) {
    let store = backend.store();
    let heart = product("heart", &["85123A"]);
    let first = store.put_product(&heart, Some(0), key(1, 10, 0)).await.unwrap();
    store.put_product(&product("heart", &["85123B"]), None, None).await.unwrap();

    let again = Product { updated_at: Timestamp(9_999), ..heart.clone() };
    let replayed = store.put_product(&again, Some(0), key(1, 10, 5)).await.unwrap();
    assert_eq!((replayed.value, replayed.replayed), (first.value, true));
    let reused = store.put_product(&heart, None, key(1, 11, 5)).await;
    assert!(matches!(reused, Err(StoreError::KeyReused)), "{reused:?}");

    let deleted = store.delete_product(&heart.id, None, key(2, 20, 5)).await.unwrap();
    assert!(!deleted.replayed);
    assert!(store.delete_product(&heart.id, None, key(2, 20, 6)).await.unwrap().replayed);
    // A change that was refused does not use up its key.
    let missing = store.delete_product(&heart.id, None, key(3, 30, 6)).await;
    assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
    store.put_product(&heart, None, None).await.unwrap();
    assert!(!store.delete_product(&heart.id, None, key(3, 30, 7)).await.unwrap().replayed);
}

pub async fn keys_are_forgotten_after_a_day(backend: impl Shop) {
    let store = backend.store();
    let day = i64::try_from(KEY_RETENTION.as_millis()).unwrap();
    let heart = product("heart", &["85123A"]);
    for n in 0..40 {
        let heart = Product { name: format!("Heart {n}"), ..heart.clone() };
        store.put_product(&heart, None, key(n, 1, 0)).await.unwrap();
    }
    assert!(store.put_product(&heart, None, key(7, 1, day - 1)).await.unwrap().replayed);
    let after = store.put_product(&heart, None, key(7, 2, day)).await.unwrap();
    assert_eq!((after.value.version, after.replayed), (41, false));
}
