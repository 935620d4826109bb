use std::sync::Arc;

use smartcart_domain::{
    entry::{Lane, Watermark},
    id::{CartId, IncarnationId},
    snapshot::{CartSnapshot, Snapshot},
    time::ShopTime,
};
use smartcart_engine::store::{Conflict, IndexedColumns, Store, StoreError, TableBatch};

use super::super::{
    backend::Shop,
    samples::{cart, order, rows, sku, stock},
};

async fn loaded(store: &dyn Store, id: u128) -> Option<(CartSnapshot, Vec<u64>)> {
    let stored = store.load_cart(CartId(id)).await.unwrap()?;
    Some((stored.snapshot, stored.tail.iter().map(|change| change.version).collect()))
}

fn snapshot_of(row: &smartcart_engine::store::Row) -> CartSnapshot {
    match row.snapshot.clone() {
        Some(Snapshot::Cart(image)) => image,
        other => panic!("{other:?}"),
    }
}

pub async fn a_cart_comes_back_as_it_was_flushed(backend: impl Shop) {
    assert_eq!(loaded(backend.store(), 1).await, None);
    let row = cart(1).adding("85123A", 5).adding("22423", 1).checking_out(9).snapshot();
    backend.store().flush(&rows([row.clone()])).await.unwrap();
    let backend = backend.restarted().await;
    assert_eq!(loaded(backend.store(), 1).await, Some((snapshot_of(&row), vec![])));
    assert_eq!(loaded(backend.store(), 2).await, None);
}

pub async fn a_stock_comes_back_as_it_was_flushed(backend: impl Shop) {
    let stock = stock("85123A", 40).holding(1, 3, 60_000).holding(2, 4, 50_000).selling(1);
    backend.store().flush(&rows([stock.snapshot()])).await.unwrap();
    let backend = backend.restarted().await;
    let stored = backend.store().load_stock(&sku("85123A")).await.unwrap().unwrap();
    assert_eq!(stored.snapshot.stock, stock.entity);
    assert_eq!(stored.snapshot.keys, stock.keys.iter().cloned().collect::<Vec<_>>());
    assert!(stored.tail.is_empty());
    assert!(backend.store().load_stock(&sku("22423")).await.unwrap().is_none());
}

pub async fn changes_follow_their_image(backend: impl Shop) {
    let store = backend.store();
    let young = cart(1).adding("85123A", 1);
    store.flush(&rows([young.snapshot()])).await.unwrap();
    let older = cart(1).adding("85123A", 1).adding("22423", 2).adding("22423", 3);
    store.flush(&rows([older.tail(2)])).await.unwrap();
    let oldest = cart(1).adding("85123A", 1).adding("22423", 2).adding("22423", 3).adding("22423", 4);
    store.flush(&rows([oldest.tail(4)])).await.unwrap();
    let stored = store.load_cart(CartId(1)).await.unwrap().unwrap();
    assert_eq!(stored.snapshot, snapshot_of(&young.snapshot()));
    assert_eq!(stored.tail, oldest.changes[2..]);

    let young = stock("85123A", 40);
    let older = stock("85123A", 40).holding(1, 3, 60_000);
    store.flush(&rows([young.snapshot()])).await.unwrap();
    store.flush(&rows([older.tail(1)])).await.unwrap();
    let stored = store.load_stock(&sku("85123A")).await.unwrap().unwrap();
    assert_eq!(stored.snapshot.stock, young.entity);
    assert_eq!(stored.tail, older.changes[1..]);
    assert_eq!(store.stocks_with_holds().await.unwrap(), [sku("85123A")]);
}

pub async fn a_new_image_takes_the_place_of_image_and_tail(backend: impl Shop) {
    let store = backend.store();
    let young = cart(1).adding("85123A", 1);
    let older = cart(1).adding("85123A", 1).adding("22423", 2);
    let oldest = cart(1).adding("85123A", 1).adding("22423", 2).adding("22423", 3);
    store.flush(&rows([young.snapshot()])).await.unwrap();
    store.flush(&rows([older.tail(2)])).await.unwrap();
    store.flush(&rows([oldest.snapshot()])).await.unwrap();
    assert_eq!(loaded(store, 1).await, Some((snapshot_of(&oldest.snapshot()), vec![])));
}

pub async fn an_image_may_bring_its_own_tail(backend: impl Shop) {
    let store = backend.store();
    let young = cart(1).adding("85123A", 1);
    let older = cart(1).adding("85123A", 1).adding("22423", 2);
    let mut row = older.tail(2);
    row.snapshot = young.snapshot().snapshot;
    store.flush(&rows([row])).await.unwrap();
    assert_eq!(loaded(store, 1).await, Some((snapshot_of(&young.snapshot()), vec![3])));
}

pub async fn a_lower_version_is_never_written(backend: impl Shop) {
    let store = backend.store();
    let young = cart(1);
    let older = cart(1).adding("85123A", 1);
    let oldest = cart(1).adding("85123A", 1).adding("22423", 2);
    store.flush(&rows([older.snapshot()])).await.unwrap();
    store.flush(&rows([oldest.tail(2)])).await.unwrap();
    store.flush(&rows([young.snapshot()])).await.unwrap();
    store.flush(&rows([older.snapshot()])).await.unwrap();
    assert_eq!(loaded(store, 1).await, Some((snapshot_of(&older.snapshot()), vec![3])));
}

pub async fn the_same_flush_again_changes_nothing(backend: impl Shop) {
    let store = backend.store();
    let older = cart(1).adding("85123A", 1);
    for _ in 0..2 {
        store.flush(&rows([cart(1).snapshot()])).await.unwrap();
        store.flush(&rows([older.tail(1)])).await.unwrap();
    }
    assert_eq!(loaded(store, 1).await, Some((snapshot_of(&cart(1).snapshot()), vec![2])));
}

pub async fn tails_may_overlap(backend: impl Shop) {
    let store = backend.store();
    let older = cart(1).adding("85123A", 1).adding("85123A", 2);
    let oldest = cart(1).adding("85123A", 1).adding("85123A", 2).adding("85123A", 3);
    store.flush(&rows([cart(1).snapshot()])).await.unwrap();
    store.flush(&rows([older.tail(1)])).await.unwrap();
    store.flush(&rows([oldest.tail(2)])).await.unwrap();
    assert_eq!(loaded(store, 1).await, Some((snapshot_of(&cart(1).snapshot()), vec![2, 3, 4])));
}

pub async fn changes_that_follow_nothing_are_refused(backend: impl Shop) {
    let store = backend.store();
    let cart_row = cart(1).adding("85123A", 1).tail(1);
    let stock_row = stock("85123A", 40).holding(1, 3, 60_000).tail(1);
    for row in [cart_row, stock_row] {
        let refused = store.flush(&rows([row])).await;
        assert!(matches!(refused, Err(StoreError::Conflict(Conflict::Invariant(_)))), "{refused:?}");
    }
    store.flush(&rows([cart(2).snapshot()])).await.unwrap();
    let gap = cart(2).adding("85123A", 1).adding("85123A", 1).tail(2);
    let refused = store.flush(&rows([gap])).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Conflict::Invariant(_)))), "{refused:?}");
    assert_eq!(loaded(store, 2).await, Some((snapshot_of(&cart(2).snapshot()), vec![])));
}

pub async fn a_refused_flush_writes_nothing(backend: impl Shop) {
    let store = backend.store();
    let batch = TableBatch {
        orders: vec![Arc::new(order(5, 1, 10))],
        watermarks: vec![Watermark { incarnation: IncarnationId(1), lane: Lane(0), sequence: 3 }],
        shop: ShopTime(70),
        ..rows([cart(1).snapshot(), cart(2).adding("85123A", 1).tail(1)])
    };
    store.flush(&batch).await.unwrap_err();
    assert_eq!(loaded(store, 1).await, None);
    assert_eq!(store.order(order(5, 1, 10).id).await.unwrap(), None);
    assert_eq!(store.watermarks(IncarnationId(1)).await.unwrap(), []);
    assert_eq!(store.shop_time().await.unwrap(), ShopTime(0));
    // And the next one is taken.
    store.flush(&rows([cart(1).snapshot()])).await.unwrap();
}

/// The second line of defence against selling a unit twice.
pub async fn stock_that_does_not_add_up_is_refused(backend: impl Shop) {
    let store = backend.store();
    for (on_hand, held, sold) in [(40, 41, 0), (40, -1, 0), (-1, 0, 41), (41, 0, -1), (40, 0, 1)] {
        let mut row = stock("85123A", 40).snapshot();
        let IndexedColumns::Stock { level, .. } = &mut row.columns else { panic!("{:?}", row.columns) };
        (level.on_hand, level.held, level.sold) = (on_hand, held, sold);
        let refused = store.flush(&rows([row, cart(1).snapshot()])).await;
        assert!(matches!(refused, Err(StoreError::Conflict(Conflict::Invariant(_)))), "{refused:?}");
    }
    assert_eq!(loaded(store, 1).await, None);
}

pub async fn thousands_of_rows_fit_one_flush(backend: impl Shop) {
    let store = backend.store();
    let ids = (1..=1000_u128).map(|id| id * 0x9E37_79B9_7F4A_7C15_0000_0001);
    let carts: Vec<_> = ids.clone().map(|id| cart(id).adding("85123A", 1)).collect();
    store.flush(&rows(carts.iter().map(super::super::samples::Life::snapshot))).await.unwrap();
    let older: Vec<_> = ids.map(|id| cart(id).adding("85123A", 1).adding("22423", 2)).collect();
    let mixed =
        older.iter().enumerate().map(|(n, cart)| if n % 2 == 0 { cart.snapshot() } else { cart.tail(2) });
    store.flush(&rows(mixed)).await.unwrap();
    for (n, cart) in older.iter().enumerate() {
        let stored = store.load_cart(cart.id()).await.unwrap().unwrap();
        let before = if n % 2 == 0 { cart } else { &carts[n] };
        assert_eq!(*stored.snapshot.cart, before.entity);
        assert_eq!(stored.tail.len(), n % 2);
    }
}

pub async fn watermarks_and_shop_time_never_go_back(backend: impl Shop) {
    let incarnation = IncarnationId(1);
    let mark = |lane, sequence| Watermark { incarnation, lane: Lane(lane), sequence };
    for (sequence, shop) in [(5, 500), (3, 300)] {
        let watermarks = vec![mark(0, sequence), mark(1, sequence * 2)];
        let batch = TableBatch { watermarks, shop: ShopTime(shop), ..TableBatch::default() };
        backend.store().flush(&batch).await.unwrap();
    }
    let backend = backend.restarted().await;
    assert_eq!(backend.store().watermarks(incarnation).await.unwrap(), [mark(0, 5), mark(1, 10)]);
    assert_eq!(backend.store().shop_time().await.unwrap(), ShopTime(500));
    assert_eq!(backend.store().watermarks(IncarnationId(2)).await.unwrap(), []);
    backend.store().forget_incarnation(incarnation).await.unwrap();
    assert_eq!(backend.store().watermarks(incarnation).await.unwrap(), []);
}

pub async fn checkouts_and_holds_are_found(backend: impl Shop) {
    let store = backend.store();
    let order = order(9, 1, 10);
    let busy = cart(1).adding("85123A", 5).checking_out(9);
    let held = stock("85123A", 40).holding(1, 3, 60_000);
    store
        .flush(&rows([busy.snapshot(), cart(2).snapshot(), held.snapshot(), stock("22423", 1).snapshot()]))
        .await
        .unwrap();
    assert_eq!(store.carts_checking_out().await.unwrap(), [CartId(1)]);
    assert_eq!(store.stocks_with_holds().await.unwrap(), [sku("85123A")]);

    let settled = cart(1).adding("85123A", 5).checking_out(9).placing(&order).settled(9);
    let sold = stock("85123A", 40).holding(1, 3, 60_000).selling(1);
    store.flush(&rows([settled.tail(3), sold.tail(2)])).await.unwrap();
    assert_eq!(store.carts_checking_out().await.unwrap(), []);
    assert_eq!(store.stocks_with_holds().await.unwrap(), []);
}

pub async fn the_secret_stays(backend: impl Shop) {
    let first = backend.store().secret().await.unwrap().derive("test", &[]);
    assert_eq!(backend.store().secret().await.unwrap().derive("test", &[]), first);
    let backend = backend.restarted().await;
    assert_eq!(backend.store().secret().await.unwrap().derive("test", &[]), first);
}
