//! The catalogue in an engine's memory is what the tables have, whatever became of the answers on the way.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use smartcart_domain::{
    catalog::{Catalog, Product},
    idempotency::{Caller, KeyFingerprint},
};
use smartcart_engine::{
    Config, Engine,
    clock::SystemClock,
    payment::InvoiceGateway,
    store::{CatalogStore as _, StoreError},
};
use smartcart_testkit::{
    conformance::samples::product,
    memory::{Database, MemoryJournal, MemoryStore, StoreFault, Weather},
    random::seeded,
};

struct Shop {
    engine: Arc<Engine>,
    store: Arc<MemoryStore>,
    /// The tables, as another pod reaches them.
    tables: MemoryStore,
}

impl Shop {
    async fn open() -> Self {
        let database = Database::default();
        let store = Arc::new(MemoryStore::new(&database, None));
        let journal = Arc::new(MemoryJournal::new(&database));
        let clock = Arc::new(SystemClock::default());
        let engine =
            Engine::start(Config::default(), journal, store.clone(), clock, Arc::new(InvoiceGateway)).await;
        Self { engine: engine.unwrap(), store, tables: MemoryStore::new(&database, None) }
    }

    async fn put(&self, name: &str, key: Option<&str>) -> Result<bool, StoreError> {
        let key = key.map(|key| KeyFingerprint::new(Caller::Service, key, 1));
        let product = Product { name: name.to_owned(), ..product("heart", &["85123A"]) };
        self.engine.put_product(&product, None, key).await.map(|written| written.replayed)
    }

    /// Memory is at the tables' generation, and says what they say.
    async fn is_true(&self) -> bool {
        let (generation, products) = self.tables.load_catalog().await.unwrap();
        let memory = self.engine.catalog();
        let stored: BTreeMap<_, _> = products.iter().map(|product| (&product.id, product)).collect();
        let says = |product: &Product| memory.product(&product.id).is_some_and(|known| **known == *product);
        let lists = |catalog: &Catalog, product: &Product| {
            product.variants.iter().all(|variant| catalog.listing(&variant.sku).is_some())
        };
        memory.generation() == generation
            && memory.len() == stored.len()
            && stored.values().all(|product| says(product) && lists(&memory, product))
    }

    async fn becomes_true(&self) {
        let patience = Duration::from_secs(60);
        let following = async {
            while !self.is_true().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(patience, following).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_was_lost_is_followed_and_its_retry_is_a_replay() {
    let shop = Shop::open().await;
    assert!(!shop.put("Heart", Some("one")).await.unwrap());
    shop.store.faults().inject([StoreFault::LoseAnswer]);
    assert!(shop.put("Big heart", Some("two")).await.is_err());
    shop.becomes_true().await;
    // Values of long ago come with a replay; memory keeps those of now.
    assert!(shop.put("Heart", Some("one")).await.unwrap());
    assert!(shop.put("Big heart", Some("two")).await.unwrap());
    assert!(shop.is_true().await);
    let id = "heart".parse().unwrap();
    shop.store.faults().inject([StoreFault::LoseAnswer]);
    assert!(shop.engine.delete_product(&id, None, None).await.is_err());
    shop.becomes_true().await;
    assert!(shop.engine.catalog().is_empty());
    assert!(shop.put("Heart", Some("one")).await.unwrap());
    assert!(shop.engine.catalog().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_others_changed_meanwhile_comes_with_the_next_change() {
    let shop = Shop::open().await;
    shop.tables.put_product(&product("lamp", &["22423"]), None, None).await.unwrap();
    shop.put("Heart", Some("one")).await.unwrap();
    assert!(shop.is_true().await);
    // A replay finds out, too.
    shop.tables.delete_product(&"lamp".parse().unwrap(), None, None).await.unwrap();
    assert!(shop.put("Heart", Some("one")).await.unwrap());
    assert!(shop.is_true().await);
    // And so does an import that changes nothing itself.
    let stored = shop.tables.put_product(&product("lamp", &["22423"]), None, None).await.unwrap().value;
    shop.engine.put_products(&[stored]).await.unwrap();
    assert!(shop.is_true().await);
}

#[tokio::test(start_paused = true)]
async fn concurrent_changes_leave_what_the_tables_have() {
    for seed in 0..20 {
        let shop = Shop::open().await;
        shop.store.faults().set_weather(Weather {
            rng: seeded(seed),
            delay: 0..5_000,
            faults: vec![StoreFault::Fail, StoreFault::LoseAnswer],
            one_in: 5,
        });
        let (shop, id) = (&shop, &"heart".parse().unwrap());
        let changes = (0..30_u32).map(|number| async move {
            match number % 3 {
                0 => drop(shop.engine.delete_product(id, None, None).await),
                1 => drop(shop.tables.put_product(&product("lamp", &["22423"]), None, None).await),
                // Two with each key.
                _ => drop(shop.put(&format!("Heart {number}"), Some(&format!("{}", number / 6))).await),
            }
        });
        futures_util::future::join_all(changes).await;
        shop.store.faults().calm();
        drop(shop.put("Heart", None).await);
        shop.becomes_true().await;
    }
}
