use std::sync::Arc;

use smartcart_domain::{
    id::{OrderId, UserId},
    idempotency::KeyFingerprint,
    orders::{Order, OrderStatus},
    time::{ShopTime, Timestamp},
};
use smartcart_engine::store::{Store, StoreError, TableBatch, TableKey};

use super::super::{backend::Shop, samples::order};

async fn place(store: &dyn Store, orders: impl IntoIterator<Item = Order>) {
    let orders = orders.into_iter().map(Arc::new).collect();
    store.flush(&TableBatch { orders, ..TableBatch::default() }).await.unwrap();
}

pub async fn an_order_is_written_once(backend: impl Shop) {
    let store = backend.store();
    let first = order(5, 1, 10);
    place(store, [first.clone()]).await;
    let packed = first.transition(OrderStatus::Packed, Timestamp(20)).unwrap();
    store.transition_order(&packed, None).await.unwrap();
    place(store, [first, Order { total: 1, ..order(5, 1, 10) }]).await;
    assert_eq!(store.order(OrderId(5)).await.unwrap(), Some(packed));
    assert_eq!(store.order(OrderId(6)).await.unwrap(), None);
}

pub async fn orders_are_paged_newest_first(backend: impl Shop) {
    let store = backend.store();
    let somebody_else = Order { user: None, ..order(9, 1, 35) };
    place(store, [order(1, 1, 10), order(4, 1, 30), order(2, 1, 30), order(3, 1, 40), somebody_else]).await;
    let ids = |orders: &[Order]| orders.iter().map(|order| order.id.0).collect::<Vec<_>>();

    let page = store.orders(Some(UserId(77)), None, 2).await.unwrap();
    assert_eq!(ids(&page), [3, 4]);
    let rest = store.orders(Some(UserId(77)), Some((page[1].placed_at, page[1].id)), 10).await.unwrap();
    assert_eq!(ids(&rest), [2, 1]);
    assert_eq!(ids(&store.orders(None, None, 10).await.unwrap()), [3, 9, 4, 2, 1]);
    assert_eq!(ids(&store.orders(Some(UserId(78)), None, 10).await.unwrap()), [0; 0]);
}

pub async fn an_order_goes_through_its_states(backend: impl Shop) {
    let store = backend.store();
    let placed = order(5, 1, 10);
    let paid = placed.transition(OrderStatus::Paid, Timestamp(20)).unwrap();
    let missing = store.transition_order(&paid, None).await;
    assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");

    place(store, [placed.clone()]).await;
    let key = TableKey { guard: KeyFingerprint { key: 3, request: 4 }, now: Timestamp(0) };
    assert_eq!(store.order_of_key(key).await.unwrap(), None);
    let written = store.transition_order(&paid, Some(key)).await.unwrap();
    assert_eq!((written.value, written.replayed), (paid.clone(), false));
    let stale =
        store.transition_order(&placed.transition(OrderStatus::Packed, Timestamp(21)).unwrap(), None).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 2 })), "{stale:?}");

    let packed = paid.transition(OrderStatus::Packed, Timestamp(30)).unwrap();
    store.transition_order(&packed, None).await.unwrap();
    let replayed = store.transition_order(&paid, Some(key)).await.unwrap();
    assert_eq!((replayed.value, replayed.replayed), (packed.clone(), true));
    assert_eq!(store.order_of_key(key).await.unwrap(), Some(packed.clone()));
    let other = TableKey { guard: KeyFingerprint { key: 3, request: 5 }, ..key };
    for reused in
        [store.transition_order(&packed, Some(other)).await.err(), store.order_of_key(other).await.err()]
    {
        assert!(matches!(reused, Some(StoreError::KeyReused)), "{reused:?}");
    }
    let backend = backend.restarted().await;
    assert_eq!(backend.store().order(OrderId(5)).await.unwrap(), Some(packed));
}

pub async fn a_cancelled_order_waits_to_be_restocked(backend: impl Shop) {
    let store = backend.store();
    let placed = [order(5, 1, 10), order(6, 1, 11), order(7, 1, 12)];
    place(store, placed.clone()).await;
    for order in &placed[..2] {
        let cancelled = order.transition(OrderStatus::Cancelled, Timestamp(20)).unwrap();
        store.transition_order(&cancelled, None).await.unwrap();
    }
    let paid = placed[2].transition(OrderStatus::Paid, Timestamp(20)).unwrap();
    store.transition_order(&paid, None).await.unwrap();
    assert_eq!(due_at(store, 0).await, [5, 6]);
    let missing = store.mark_restocked(OrderId(99)).await;
    assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
    store.mark_units_returned(OrderId(5)).await.unwrap();
    let due = store.orders_to_restock(ShopTime(0), None, 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.units_returned).collect::<Vec<_>>(), [true, false]);
    store.mark_restocked(OrderId(5)).await.unwrap();
    assert_eq!(due_at(store, 0).await, [6]);
}

async fn due_at(store: &dyn Store, now: i64) -> Vec<u128> {
    let due = store.orders_to_restock(ShopTime(now), None, 10).await.unwrap();
    due.iter().map(|due| due.order.id.0).collect()
}

pub async fn cancelled_orders_take_turns(backend: impl Shop) {
    let store = backend.store();
    let placed: Vec<Order> = (1..=4).map(|id| order(id, 1, 10)).collect();
    place(store, placed.clone()).await;
    for order in &placed {
        let cancelled = order.transition(OrderStatus::Cancelled, Timestamp(20)).unwrap();
        store.transition_order(&cancelled, None).await.unwrap();
    }
    store.postpone_restock(OrderId(1), ShopTime(500)).await.unwrap();
    store.postpone_restock(OrderId(1), ShopTime(900)).await.unwrap();
    store.postpone_restock(OrderId(2), ShopTime(600)).await.unwrap();
    let missing = store.postpone_restock(OrderId(99), ShopTime(600)).await;
    assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
    assert_eq!(due_at(store, 599).await, [3, 4], "who has waited longest comes first");
    assert_eq!(due_at(store, 600).await, [3, 4, 2]);

    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.orders_to_restock(ShopTime(900), after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.order.id));
        seen.extend(page.iter().map(|due| (due.order.id.0, due.at.0, due.tries)));
    }
    assert_eq!(seen, [(3, 0, 0), (4, 0, 0), (2, 600, 1), (1, 900, 2)]);
}
