//! A checkout is cut off at each of its appends in turn, before and after the entry is written. Whatever the moment:
//! after the restart there is one decision, its key tells it, and the books balance.

use std::time::Duration;

use smartcart_engine::Config;

use crate::{faults::FaultyJournal, shop::Shop};

/// More than a checkout of two lines appends.
const APPENDS: i64 = 12;

async fn crash_at(append: i64, written: bool) -> bool {
    let shop = Shop::open().await;
    shop.stock("mug", 10).await;
    shop.stock("pot", 10).await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 2).await.expect("the cart takes mugs");
    shop.add(cart, "pot", 3).await.expect("the cart takes pots");
    let directory = shop.stop().await;

    let dying = |journal| FaultyJournal::dying_after(journal, append, written);
    let shop = Shop::open_in(directory, Config::default(), dying).await;
    let answered = tokio::time::timeout(Duration::from_millis(700), shop.checkout(cart, "buy")).await;
    let acknowledged = answered.ok().map(|answer| answer.expect("there is enough of everything").order.id);
    if acknowledged.is_some() {
        // What follows the answer dies too.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let died = shop.faults.is_dead();

    let shop = shop.reopen().await;
    let ordered = shop.checkout(cart, "buy").await.expect("the same key comes to its end");
    if let Some(acknowledged) = acknowledged {
        assert_eq!(ordered.order.id, acknowledged, "append {append}, written {written}");
        assert!(ordered.replayed);
    }
    assert_eq!(shop.quantity(cart, "mug").await, 0, "the cart was emptied");
    for (name, sold) in [("mug", 2), ("pot", 3)] {
        settles(&shop, name, sold).await;
    }
    let orders = shop.engine.store().orders(None, None, 10).await.expect("the tables answer");
    assert_eq!(orders.len(), 1, "append {append}, written {written}");
    shop.close_and_audit().await;
    died
}

async fn settles(shop: &Shop, name: &str, sold: i64) {
    for _ in 0..3_000 {
        let level = shop.level(name).await;
        if (level.sold, level.held, level.on_hand) == (sold, 0, 10 - sold) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} does not settle: {:?}", shop.level(name).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_before_an_entry_is_written() {
    let mut deaths = 0;
    for append in 1..=APPENDS {
        deaths += i64::from(crash_at(append, false).await);
    }
    assert!(
        (5..APPENDS).contains(&deaths),
        "{deaths} appends: every step was cut off, and the last tries none"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_after_an_entry_is_written() {
    for append in 1..=APPENDS {
        crash_at(append, true).await;
    }
}
