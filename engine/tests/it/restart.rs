use smartcart_engine::{Config, commit::WriteBehindConfig};
use std::time::Duration;

use crate::{faults::FaultyJournal, shop::Shop};

/// The tables never get anything: all that is there after the crash comes from the journal.
fn never_flushing() -> Config {
    let interval = Duration::from_secs(3600);
    Config {
        write_behind: WriteBehindConfig { interval, ..WriteBehindConfig::default() },
        ..Config::default()
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash_before_any_flush() {
    let shop = Shop::open_with(never_flushing()).await;
    shop.stock("mug", 10).await;
    shop.hold("mug", 1, 4, 60).await.unwrap();
    let mut carts = Vec::new();
    for n in 0..50 {
        let cart = shop.cart().await;
        for _ in 0..=n % 3 {
            shop.add(cart, "mug", 2).await.unwrap();
        }
        carts.push((cart, (1 + n % 3) * 2));
    }
    let before = shop.level("mug").await;
    let shop = shop.reopen().await;
    assert!(shop.engine.status().recovered_entries > 0);
    for (cart, quantity) in carts {
        assert_eq!(shop.quantity(cart, "mug").await, quantity);
    }
    assert_eq!(shop.level("mug").await, before);
    shop.close_and_audit().await;
}

#[tokio::test]
async fn crash_upon_crash_loses_nothing() {
    let mut shop = Shop::open().await;
    let cart = shop.cart().await;
    for n in 1..=10 {
        shop.add(cart, "mug", 1).await.unwrap();
        shop = shop.reopen().await;
        assert_eq!(shop.quantity(cart, "mug").await, n);
    }
    shop.close_and_audit().await;
}

#[tokio::test]
async fn a_clean_stop_leaves_everything_in_the_tables() {
    let shop = Shop::open_with(never_flushing()).await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 3).await.unwrap();
    let directory = shop.stop().await;
    let shop = Shop::open_in(directory, Config::default(), FaultyJournal::new).await;
    assert_eq!(shop.engine.status().recovered_entries, 0);
    assert_eq!(shop.quantity(cart, "mug").await, 3);
}
