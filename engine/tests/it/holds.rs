use std::time::Duration;

use smartcart_domain::{
    inventory::{StockCommand, StockRejection},
    request::RequestError,
    time::Timestamp,
};

use crate::shop::Shop;

/// Until the sweep has come round: it looks twice a second.
async fn held_becomes(shop: &Shop, held: i64) {
    for _ in 0..1_200 {
        if shop.level("mug").await.held == held {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("held is {} and not {held}", shop.level("mug").await.held);
}

#[tokio::test]
async fn a_hold_ends_by_itself_when_its_time_has_passed() {
    let shop = Shop::open().await;
    shop.stock("mug", 5).await;
    shop.hold("mug", 1, 3, 60).await.unwrap();
    shop.clock.advance(Duration::from_secs(59));
    shop.hold("mug", 2, 1, 60).await.unwrap();
    assert_eq!(shop.level("mug").await.held, 4);
    shop.clock.advance(Duration::from_secs(2));
    held_becomes(&shop, 1).await;
    shop.close_and_audit().await;
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_frees_nothing() {
    let shop = Shop::open().await;
    shop.stock("mug", 5).await;
    shop.hold("mug", 1, 5, 60).await.unwrap();
    shop.clock.set_wall(Timestamp(1_800_000_000_000 + 3_600_000));
    let refused = shop.hold("mug", 2, 1, 60).await.unwrap_err();
    assert_eq!(refused, RequestError::Rejected(StockRejection::InsufficientStock { available: 0 }));
}

#[tokio::test]
async fn a_hold_keeps_its_remaining_time_over_a_crash() {
    let shop = Shop::open().await;
    shop.stock("mug", 5).await;
    shop.hold("mug", 1, 5, 60).await.unwrap();
    shop.clock.advance(Duration::from_secs(40));
    shop.stock("pot", 1).await;
    let shop = shop.reopen().await;
    shop.clock.advance(Duration::from_secs(19));
    assert!(shop.hold("mug", 2, 1, 60).await.is_err(), "a second is left");
    shop.clock.advance(Duration::from_secs(2));
    held_becomes(&shop, 0).await;
}

#[tokio::test]
async fn a_hold_of_thousands_of_others_survives_a_crash_as_it_was() {
    let shop = Shop::open().await;
    shop.stock("mug", 5000).await;
    for id in 0..500 {
        shop.hold("mug", id, 2, 600).await.unwrap();
    }
    for id in (0..500).step_by(2) {
        shop.ask_stock("mug", StockCommand::CommitHold { id: smartcart_domain::id::HoldId(id) })
            .await
            .unwrap();
    }
    let before = shop.level("mug").await;
    let shop = shop.reopen().await;
    assert_eq!(shop.level("mug").await, before);
    assert_eq!((before.held, before.sold, before.version), (500, 500, 751));
    shop.close_and_audit().await;
}
