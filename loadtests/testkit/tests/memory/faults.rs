//! They misbehave on command.

use std::{sync::Arc, time::Duration};

use smartcart_domain::{
    entry::Lane,
    failure::{Effect, Failure},
    id::IncarnationId,
    time::ShopTime,
};
use smartcart_engine::{
    journal::{AppendError, Journal as _},
    registry::Registry as _,
    store::{EntityStore as _, StoreError, TableBatch},
};
use smartcart_testkit::{
    conformance::samples::entry,
    memory::{JournalFault, RegistryFault, StoreFault},
};

use crate::backend::Memory;

const ONE: IncarnationId = IncarnationId(1);

async fn kept(memory: &Memory) -> usize {
    memory.journal.read(ONE, Lane(0), 0, 10).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn an_append_is_not_taken_or_unknown_or_sealed() {
    let memory = Memory::new().await;
    let (journal, faults) = (&memory.journal, memory.journal.faults());
    let late = JournalFault::ArriveLate(Duration::from_secs(1));
    faults.inject([JournalFault::NotTaken, JournalFault::LoseRequest, late, JournalFault::LoseAnswer]);
    let first = entry(1, 0, 1);
    let refused = journal.append(&first).await;
    assert!(
        matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::NotApplied, .. }))),
        "{refused:?}"
    );
    for there in [0, 1] {
        let unknown = journal.append(&first).await;
        assert!(
            matches!(unknown, Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, .. }))),
            "{unknown:?}"
        );
        assert_eq!(kept(&memory).await, 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(kept(&memory).await, there);
    }
    journal.append(&entry(1, 0, 2)).await.unwrap_err();
    assert_eq!(kept(&memory).await, 2);
    faults.inject([JournalFault::Seal]);
    for _ in 0..2 {
        let sealed = journal.append(&entry(1, 0, 3)).await;
        assert!(
            matches!(sealed, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
            "{sealed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_fails_or_conflicts_or_is_held() {
    let memory = Arc::new(Memory::new().await);
    let faults = memory.store.faults();
    let at = |shop| TableBatch { shop: ShopTime(shop), ..TableBatch::default() };
    faults.inject([StoreFault::Fail, StoreFault::LoseAnswer, StoreFault::Conflict]);
    memory.store.flush(&at(1)).await.unwrap_err();
    assert_eq!(memory.store.shop_time().await.unwrap(), ShopTime(0));
    memory.store.flush(&at(2)).await.unwrap_err();
    assert_eq!(memory.store.shop_time().await.unwrap(), ShopTime(2));
    let conflict = memory.store.flush(&at(3)).await;
    assert!(matches!(conflict, Err(StoreError::Conflict(_))), "{conflict:?}");

    faults.go_away();
    memory.store.flush(&at(4)).await.unwrap_err();
    faults.hold();
    let held = tokio::spawn({
        let memory = memory.clone();
        async move { memory.store.flush(&TableBatch { shop: ShopTime(5), ..TableBatch::default() }).await }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!held.is_finished());
    faults.restore();
    held.await.unwrap().unwrap();
    assert_eq!(memory.store.shop_time().await.unwrap(), ShopTime(5));
}

#[tokio::test]
async fn a_registry_is_unreachable_or_lags_or_goes_back() {
    let memory = Memory::new().await;
    let (registry, faults) = (&memory.registry, memory.registry.faults());
    let before = registry.shards().await.unwrap();
    let then = memory.database.checkpoint();
    faults.inject([RegistryFault::LoseAnswer]);
    registry.claim(ONE, &[smartcart_domain::shard::ShardId(3)]).await.unwrap_err();
    faults.inject([RegistryFault::OldView, RegistryFault::Unreachable]);
    assert_eq!(registry.shards().await.unwrap(), before);
    registry.shards().await.unwrap_err();
    assert_eq!(registry.shards().await.unwrap()[3].owner, Some(ONE));
    memory.database.rewind(&then);
    assert_eq!(registry.shards().await.unwrap(), before);
}
