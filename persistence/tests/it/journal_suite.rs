//! What every journal does.

use smartcart_domain::failure::{Effect, Failure};
use smartcart_domain::{entry::Lane, id::IncarnationId};
use smartcart_engine::journal::{AppendError, Journal, JournalError};

use crate::{backend::Backend, samples::entry};

const ONE: IncarnationId = IncarnationId(1);
const LANE: Lane = Lane(0);

pub(crate) async fn append(
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

pub(crate) async fn gives_back_what_was_appended_in_order(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=3).await;
    let expected: Vec<_> = (1..=3).map(|sequence| entry(1, 0, sequence)).collect();
    assert_eq!(journal.read(ONE, LANE, 0, 10).await.unwrap(), expected);
}

pub(crate) async fn refuses_a_gap(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=2).await;
    let refused = journal.append(&entry(1, 0, 4)).await;
    assert!(matches!(refused, Err(AppendError::Gap { expected: 3 })), "{refused:?}");
    append(journal, 1, 0, 3..=4).await;
}

pub(crate) async fn keeps_lanes_and_incarnations_apart(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=2).await;
    append(journal, 1, 7, 1..=1).await;
    append(journal, 2, 0, 1..=5).await;
    assert_eq!(sequences(journal, LANE, 0, 10).await, [1, 2]);
    assert_eq!(sequences(journal, Lane(7), 0, 10).await, [1]);
    let known = vec![(ONE, vec![(LANE, 2), (Lane(7), 1)]), (IncarnationId(2), vec![(LANE, 5)])];
    assert_eq!(journal.incarnations().await.unwrap(), known);
}

pub(crate) async fn forgets_what_is_trimmed_but_not_the_number(backend: impl Backend) {
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

pub(crate) async fn pages(backend: impl Backend) {
    let journal = backend.journal();
    append(journal, 1, 0, 1..=7).await;
    assert_eq!(sequences(journal, LANE, 0, 3).await, [1, 2, 3]);
    assert_eq!(sequences(journal, LANE, 3, 3).await, [4, 5, 6]);
    assert_eq!(sequences(journal, LANE, 6, 3).await, [7]);
    assert_eq!(sequences(journal, LANE, 7, 3).await, [0; 0]);
}

pub(crate) async fn keeps_everything_over_a_restart(backend: impl Backend) {
    append(backend.journal(), 1, 0, 1..=3).await;
    let backend = backend.restarted().await;
    let journal = backend.journal();
    assert_eq!(sequences(journal, LANE, 0, 10).await, [1, 2, 3]);
    let refused = journal.append(&entry(1, 0, 5)).await;
    assert!(matches!(refused, Err(AppendError::Gap { expected: 4 })), "{refused:?}");
    append(journal, 1, 0, 4..=4).await;
}

pub(crate) async fn removes_only_what_is_sealed(backend: impl Backend) {
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
