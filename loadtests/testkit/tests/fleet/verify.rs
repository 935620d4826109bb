//! What must be true after every run.

use std::{collections::BTreeMap, time::Duration};

use smartcart_domain::{
    cart::Cart,
    id::{IncarnationId, OrderId, Sku},
};
use smartcart_engine::{
    registry::Registry as _,
    store::{OrderStore as _, Store as _},
};
use smartcart_testkit::{
    memory::{MemoryRegistry, MemoryStore},
    random::Rng,
};

use crate::{
    pod::Pod,
    shopper::Shopper,
    world::{SKUS, STOCKED, World, sku},
};

type Lines = BTreeMap<Sku, u32>;

/// What may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Nothing,
    /// What came after these shoppers, who have ended: others' requests too.
    AfterTheStandby,
}

/// The run is over: no faults any more, and whoever is left serves everything.
pub(crate) async fn verify(world: &World, shoppers: &[Shopper], rng: &mut Rng) {
    verify_losing(world, shoppers, rng, Loss::Nothing).await;
}

pub(crate) async fn verify_losing(world: &World, shoppers: &[Shopper], rng: &mut Rng, loss: Loss) {
    for pod in world.pods.lock().iter() {
        pod.calm();
    }
    every_shard_is_served(world).await;
    for shopper in shoppers {
        let cart = read_cart(world, shopper, rng).await;
        let lines: Lines = cart.lines.iter().map(|line| (line.sku.clone(), line.quantity)).collect();
        assert_eq!(
            lines, shopper.lines,
            "cart {}: what was acknowledged is there, and nothing else",
            shopper.cart
        );
    }
    stop(world).await;
    let store = MemoryStore::new(&world.database, None);
    let kept = orders(&store).await;
    let acknowledged: BTreeMap<OrderId, Lines> =
        shoppers.iter().flat_map(|shopper| shopper.orders.clone()).collect();
    assert_eq!(store.audit().await.unwrap(), [], "the tables contradict themselves");
    if loss == Loss::AfterTheStandby {
        let missing: Vec<_> = acknowledged.iter().filter(|(id, lines)| kept.get(id) != Some(lines)).collect();
        assert!(missing.is_empty(), "the standby had these orders: {missing:#?}");
        return;
    }
    assert_eq!(kept, acknowledged, "one order for each checkout that was acknowledged");
    for name in SKUS {
        let sold = shoppers.iter().flat_map(|shopper| shopper.orders.values());
        let sold: i64 = sold.filter_map(|lines| lines.get(&sku(name))).map(|units| i64::from(*units)).sum();
        let level = level(&store, name).await;
        assert_eq!((level.sold, level.on_hand), (sold, STOCKED - sold), "{name}: {level:?}");
    }
}

async fn every_shard_is_served(world: &World) {
    let registry = MemoryRegistry::new(&world.database);
    loop {
        for pod in world.pods.lock().iter() {
            // Whoever was hurt is not among them any more.
            let why = pod.engine.status().read_only;
            assert!(why.is_none(), "{} has stopped by itself: {why:?}", pod.name);
        }
        let live: Vec<IncarnationId> =
            world.pods.lock().iter().filter(|pod| pod.is_alive()).map(|pod| pod.incarnation()).collect();
        assert!(!live.is_empty(), "every pod has stopped");
        let rows = registry.shards().await.unwrap();
        if rows.iter().all(|row| row.owner.is_some_and(|owner| live.contains(&owner))) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Once its last checkout has emptied it.
async fn read_cart(world: &World, shopper: &Shopper, rng: &mut Rng) -> Cart {
    loop {
        let pod = world.any_pod(rng);
        if let Ok(Some(published)) = pod.engine.carts().read(&shopper.cart).await
            && published.view().checkout.is_none()
        {
            return Cart::clone(published.view());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Everything that was accepted is in the tables.
async fn stop(world: &World) {
    let pods: Vec<_> = world.pods.lock().iter().filter(|pod| pod.is_alive()).cloned().collect();
    let busy = |pod: &std::sync::Arc<Pod>| pod.engine.status().checkouts_under_way > 0;
    while pods.iter().any(busy) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    futures_util::future::join_all(pods.iter().map(|pod| pod.engine.stop())).await;
}

async fn orders(store: &MemoryStore) -> BTreeMap<OrderId, Lines> {
    let orders = store.orders(None, None, usize::MAX).await.unwrap();
    let lines = |order: &smartcart_domain::orders::Order| {
        order.lines.iter().map(|line| (line.sku.clone(), line.quantity)).collect()
    };
    orders.iter().map(|order| (order.id, lines(order))).collect()
}

async fn level(store: &MemoryStore, name: &str) -> smartcart_domain::inventory::StockLevel {
    use smartcart_domain::{entity::Entity as _, inventory::Stock};
    use smartcart_engine::{entity::Resident as _, store::EntityStore as _};
    let stored = store.load_stock(&sku(name)).await.unwrap().unwrap();
    let mut stock = stored.snapshot.stock;
    for change in &stored.tail {
        stock.advance(Stock::events(change).unwrap(), change.wall);
    }
    stock.level
}
