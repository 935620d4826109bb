//! What every journal does. An append whose outcome nobody knows is settled by appending the same entry again.

use std::time::Duration;

use smartcart_domain::{
    entry::Lane,
    failure::{Effect, Failure},
    id::IncarnationId,
    time::ShopTime,
};
use smartcart_engine::journal::{AppendError, Journal, JournalError};

use super::{backend::Backend, samples::entry};

const ONE: IncarnationId = IncarnationId(1);
const LANE: Lane = Lane(0);

pub async fn append(
    journal: &dyn Journal,
    incarnation: u128,
    lane: u16,
    sequences: std::ops::RangeInclusive<u64>,
) {
    for sequence in sequences {
        journal.append(&entry(incarnation, lane, sequence)).await.unwrap();
    }
}

async fn sequences(journal: &dyn Journal, lane: Lane, after: u64, limit: usize) -> Vec<u64> {
    let entries = journal.read(ONE, lane, after, limit).await.unwrap();
    entries.iter().map(|entry| entry.sequence).collect()
}

pub async fn gives_back_what_was_appended_in_order(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=3).await;
    let expected: Vec<_> = (1..=3).map(|sequence| entry(1, 0, sequence)).collect();
    assert_eq!(journal.read(ONE, LANE, 0, 10).await.unwrap(), expected);
}

pub async fn refuses_a_gap(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=2).await;
    let refused = journal.append(&entry(1, 0, 4)).await;
    assert!(matches!(refused, Err(AppendError::Gap { expected: 3 })), "{refused:?}");
    append(journal, 1, 0, 3..=4).await;
}

pub async fn keeps_lanes_and_incarnations_apart(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=2).await;
    append(journal, 1, 7, 1..=1).await;
    append(journal, 2, 0, 1..=5).await;
    assert_eq!(sequences(journal, LANE, 0, 10).await, [1, 2]);
    assert_eq!(sequences(journal, Lane(7), 0, 10).await, [1]);
    let known = vec![(ONE, vec![(LANE, 2), (Lane(7), 1)]), (IncarnationId(2), vec![(LANE, 5)])];
    assert_eq!(journal.incarnations().await.unwrap(), known);
}

pub async fn forgets_what_is_trimmed_but_not_the_number(backend: impl Backend) {
    append(backend.journal(), 1, 0, 1..=5).await;
    backend.journal().trim(ONE, LANE, 3).await.unwrap();
    assert_eq!(sequences(backend.journal(), LANE, 0, 10).await, [4, 5]);
    backend.journal().trim(ONE, LANE, 5).await.unwrap();
    backend.journal().trim(ONE, LANE, 2).await.unwrap();

    let backend = backend.restarted().await;
    let journal = backend.journal();
    assert_eq!(sequences(journal, LANE, 0, 10).await, [0; 0]);
    assert_eq!(journal.incarnations().await.unwrap(), [(ONE, vec![(LANE, 5)])]);
    for lower in [1, 5] {
        let refused = journal.append(&entry(1, 0, lower)).await;
        assert!(matches!(refused, Err(AppendError::Gap { expected: 6 })), "{refused:?}");
    }
    append(journal, 1, 0, 6..=6).await;
    assert_eq!(sequences(journal, LANE, 5, 10).await, [6]);
}

pub async fn pages(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=7).await;
    assert_eq!(sequences(journal, LANE, 0, 3).await, [1, 2, 3]);
    assert_eq!(sequences(journal, LANE, 3, 3).await, [4, 5, 6]);
    assert_eq!(sequences(journal, LANE, 6, 3).await, [7]);
    assert_eq!(sequences(journal, LANE, 7, 3).await, [0; 0]);
}

pub async fn keeps_everything_over_a_restart(backend: impl Backend) {
    append(backend.journal(), 1, 0, 1..=3).await;
    let backend = backend.restarted().await;
    let journal = backend.journal();
    assert_eq!(sequences(journal, LANE, 0, 10).await, [1, 2, 3]);
    let refused = journal.append(&entry(1, 0, 5)).await;
    assert!(matches!(refused, Err(AppendError::Gap { expected: 4 })), "{refused:?}");
    append(journal, 1, 0, 4..=4).await;
}

pub async fn removes_only_what_is_sealed(backend: impl Backend) {
    append(backend.journal(), 1, 0, 1..=3).await;
    append(backend.journal(), 2, 0, 1..=1).await;
    let refused = backend.journal().remove(ONE).await;
    assert!(
        matches!(refused, Err(JournalError::Failed(Failure { effect: Effect::NotApplied, .. }))),
        "{refused:?}"
    );
    backend.journal().seal(ONE).await.unwrap();
    backend.journal().remove(ONE).await.unwrap();
    let known = [(IncarnationId(2), vec![(LANE, 1)])];
    assert_eq!(backend.journal().incarnations().await.unwrap(), known);
    let backend = backend.restarted().await;
    assert_eq!(backend.journal().incarnations().await.unwrap(), known);
}

pub async fn the_same_entry_again_is_accepted_once(shop: impl Backend) {
    append(shop.journal(), 1, 0, 1..=2).await;
    append(shop.journal(), 1, 0, 2..=2).await;
    let shop = shop.restarted().await;
    append(shop.journal(), 1, 0, 2..=3).await;
    let kept = shop.journal().read(IncarnationId(1), Lane(0), 0, 10).await.unwrap();
    assert_eq!(kept, [entry(1, 0, 1), entry(1, 0, 2), entry(1, 0, 3)]);
}

pub async fn another_entry_of_the_same_number_is_refused(shop: impl Backend) {
    append(shop.journal(), 1, 0, 1..=2).await;
    let mut other = entry(1, 0, 2);
    other.shop = ShopTime(99);
    let refused = shop.journal().append(&other).await;
    assert!(matches!(refused, Err(AppendError::Conflict { sequence: 2 })), "{refused:?}");
    let kept = shop.journal().read(IncarnationId(1), Lane(0), 1, 10).await.unwrap();
    assert_eq!(kept, [entry(1, 0, 2)]);
}

/// A caller that gives up in the middle of an append leaves a row that it does not know of.
pub async fn an_append_that_was_given_up_can_be_asked_again(shop: impl Backend) {
    for sequence in 1..=50 {
        let patience = Duration::from_micros(sequence * 40);
        let _given_up = tokio::time::timeout(patience, shop.journal().append(&entry(1, 0, sequence))).await;
        append(shop.journal(), 1, 0, sequence..=sequence).await;
    }
    let kept = shop.journal().read(IncarnationId(1), Lane(0), 0, 100).await.unwrap();
    let expected: Vec<_> = (1..=50).map(|sequence| entry(1, 0, sequence)).collect();
    assert_eq!(kept, expected);
}
