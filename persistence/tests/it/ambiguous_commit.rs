//! An append whose outcome nobody knows is settled by appending the same entry again.

use std::time::Duration;

use smartcart_domain::{entry::Lane, id::IncarnationId, time::ShopTime};
use smartcart_engine::journal::AppendError;

use crate::{backend::Backend, journal_suite::append, samples::entry};

pub(crate) async fn the_same_entry_again_is_accepted_once(shop: impl Backend) {
    append(shop.journal(), 1, 0, 1..=2).await;
    append(shop.journal(), 1, 0, 2..=2).await;
    let shop = shop.restarted().await;
    append(shop.journal(), 1, 0, 2..=3).await;
    let kept = shop.journal().read(IncarnationId(1), Lane(0), 0, 10).await.unwrap();
    assert_eq!(kept, [entry(1, 0, 1), entry(1, 0, 2), entry(1, 0, 3)]);
}

pub(crate) async fn another_entry_of_the_same_number_is_refused(shop: impl Backend) {
    append(shop.journal(), 1, 0, 1..=2).await;
    let mut other = entry(1, 0, 2);
    other.shop = ShopTime(99);
    let refused = shop.journal().append(&other).await;
    assert!(matches!(refused, Err(AppendError::Conflict { sequence: 2 })), "{refused:?}");
    let kept = shop.journal().read(IncarnationId(1), Lane(0), 1, 10).await.unwrap();
    assert_eq!(kept, [entry(1, 0, 2)]);
}

/// A caller that gives up in the middle of an append leaves a row that it does not know of.
pub(crate) async fn an_append_that_was_given_up_can_be_asked_again(shop: impl Backend) {
    for sequence in 1..=50 {
        let patience = Duration::from_micros(sequence * 40);
        let _given_up = tokio::time::timeout(patience, shop.journal().append(&entry(1, 0, sequence))).await;
        append(shop.journal(), 1, 0, sequence..=sequence).await;
    }
    let kept = shop.journal().read(IncarnationId(1), Lane(0), 0, 100).await.unwrap();
    let expected: Vec<_> = (1..=50).map(|sequence| entry(1, 0, sequence)).collect();
    assert_eq!(kept, expected);
}
