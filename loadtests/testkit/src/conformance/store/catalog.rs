use smartcart_domain::{
    catalog::Product, idempotency::KeyFingerprint, limits::KEY_RETENTION, time::Timestamp,
};
use smartcart_engine::store::{Conflict, ImportedRow, StoreError, TableKey};

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
    let imported = store.put_products(std::slice::from_ref(&heart)).await.unwrap();
    assert_eq!(imported.rows, [ImportedRow::Written(Product { version: 4, ..heart })]);
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

pub async fn an_import_takes_what_it_can(backend: impl Shop) {
    let store = backend.store();
    let first =
        store.put_products(&[product("heart", &["85123A"]), product("lamp", &["22423"])]).await.unwrap();
    assert_eq!(first.generation, 1);
    let taken = |sku_name: &str, owner: &str| {
        ImportedRow::Refused(Conflict::SkuTaken { sku: sku(sku_name), product: owner.parse().unwrap() })
    };
    // One wants another's SKU, two want the same, one says nothing new, and one is as it should be.
    let rows = [
        product("bag", &["20725"]),
        product("box", &["20725"]),
        product("tin", &["21212", "22423"]),
        product("heart", &["85123A"]),
    ];
    let second = store.put_products(&rows).await.unwrap();
    let bag = Product { version: 1, ..rows[0].clone() };
    let expected =
        [ImportedRow::Written(bag), taken("20725", "bag"), taken("22423", "lamp"), ImportedRow::Unchanged];
    assert_eq!((second.rows.as_slice(), second.generation), (expected.as_slice(), 2));
    let again = store.put_products(&rows).await.unwrap();
    let expected = [ImportedRow::Unchanged, expected[1].clone(), expected[2].clone(), ImportedRow::Unchanged];
    assert_eq!((again.rows.as_slice(), again.generation), (expected.as_slice(), 2));
    let (generation, products) = store.load_catalog().await.unwrap();
    let ids: Vec<String> = products.iter().map(|product| product.id.to_string()).collect();
    assert_eq!((generation, ids), (2, vec!["bag".to_owned(), "heart".to_owned(), "lamp".to_owned()]));
}

pub async fn an_import_moves_skus_whatever_the_order(backend: impl Shop) {
    let store = backend.store();
    let before = [product("a", &["A"]), product("b", &["B"]), product("c", &["C"]), product("d", &["D"])];
    store.put_products(&before).await.unwrap();
    // A and B change places, and C follows a chain that ends at a SKU which is not free.
    let rows = [product("a", &["B"]), product("b", &["A"]), product("c", &["E"]), product("e", &["C", "D"])];
    let moved = store.put_products(&rows).await.unwrap();
    let written = |index: usize| ImportedRow::Written(Product { version: 2, ..rows[index].clone() });
    let refused = Conflict::SkuTaken { sku: sku("D"), product: "d".parse().unwrap() };
    let expected = [written(0), written(1), written(2), ImportedRow::Refused(refused)];
    assert_eq!((moved.rows.as_slice(), moved.generation), (expected.as_slice(), 2));
    // Who is refused keeps what another wants: that one is refused, too, and so is the next.
    let rows = [product("a", &["A"]), product("b", &["E"]), product("c", &["D"])];
    let kept = store.put_products(&rows).await.unwrap();
    let refused = |name: &str, owner: &str| {
        ImportedRow::Refused(Conflict::SkuTaken { sku: sku(name), product: owner.parse().unwrap() })
    };
    assert_eq!(kept.rows, [refused("A", "b"), refused("E", "c"), refused("D", "d")]);
    let (generation, products) = store.load_catalog().await.unwrap();
    let skus: Vec<String> = products.iter().map(|product| product.variants[0].sku.to_string()).collect();
    assert_eq!((generation, skus), (2, ["B", "A", "E", "D"].map(str::to_owned).to_vec()));
}

pub async fn keys_replay_and_guard(backend: impl Shop) {
    let store = backend.store();
    let heart = product("heart", &["85123A"]);
    let first = store.put_product(&heart, Some(0), key(1, 10, 0)).await.unwrap();
    store.put_product(&product("heart", &["85123B"]), None, None).await.unwrap();

    let again = Product { updated_at: Timestamp(9_999), ..heart.clone() };
    let replayed = store.put_product(&again, Some(0), key(1, 10, 5)).await.unwrap();
    // The outcome of then, and the generation of now.
    assert_eq!((replayed.value, replayed.replayed, replayed.generation), (first.value, true, 2));
    let reused = store.put_product(&heart, None, key(1, 11, 5)).await;
    assert!(matches!(reused, Err(StoreError::KeyReused)), "{reused:?}");

    let deleted = store.delete_product(&heart.id, None, key(2, 20, 5)).await.unwrap();
    assert_eq!((deleted.replayed, deleted.generation), (false, 3));
    let again = store.delete_product(&heart.id, None, key(2, 20, 6)).await.unwrap();
    assert_eq!((again.replayed, again.generation), (true, 3));
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
