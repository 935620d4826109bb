//! A shop of one pod.

use std::{sync::Arc, time::Duration};

use smartcart_domain::{
    cart::{Cart, CartCommand},
    catalog::Product,
    entity::Entity,
    id::{CartId, IncarnationId, OrderId, Sku},
    idempotency::{Caller, KeyFingerprint},
    inventory::{StockCommand, StockLevel},
    money::{Currency, Money},
    orders::{CheckoutDetails, OrderStatus},
    payment::PaymentMethod,
    request::{CheckoutRejection, CheckoutRequest, Ordered, Request, RequestError},
    time::Timestamp,
};
use smartcart_engine::{
    Config, Engine,
    clock::ManualClock,
    directory::ResidencyConfig,
    engine::Fleet,
    membership::FleetConfig,
    payment::PaymentGateway,
    store::{CatalogStore as _, Store as _},
};
use smartcart_testkit::memory::{
    Database, MemoryJournal, MemoryPeers, MemoryRegistry, MemoryStore, Network,
    fixtures::{live_member, single_variant_product},
};

pub(crate) const SKUS: [&str; 3] = ["mug", "pot", "tin"];
pub(crate) const STOCKED: i64 = 30;
pub(crate) const PRICE: i64 = 250;
/// On the clock of the test: nothing takes that long.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct Shop {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<MemoryStore>,
    /// Shop time and wall clock; the runtime's is another.
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn sku(name: &str) -> Sku {
    name.parse().unwrap()
}

fn gbp() -> Currency {
    "GBP".parse().unwrap()
}

fn request<E: Entity>(command: E::Command) -> Request<E> {
    Request { command, caller: Caller::Service, key: None, expected: None, fresh: false }
}

impl Shop {
    /// Full shelves, and entities that leave memory soon after they were used.
    pub(crate) async fn open(gateway: Arc<dyn PaymentGateway>) -> Self {
        let database = Database::default();
        let incarnation = IncarnationId(1);
        let member = live_member("a", incarnation);
        let store = Arc::new(MemoryStore::new(&database, Some(incarnation)));
        store.put_products(&SKUS.map(product)).await.unwrap();
        let fleet = Fleet {
            member,
            registry: Arc::new(MemoryRegistry::new(&database)),
            peers: Arc::new(MemoryPeers::new(&Network::default())),
            config: FleetConfig::default(),
            placement: None,
        };
        let second = Duration::from_secs(1);
        let residency = ResidencyConfig {
            passivate_after: second,
            evict_after: second,
            rotation: second,
            ..ResidencyConfig::default()
        };
        let clock = Arc::new(ManualClock::at(Timestamp(1_800_000_000_000)));
        let journal = Arc::new(MemoryJournal::new(&database));
        let config = Config { residency, ..Config::default() };
        let engine =
            Engine::join(config, fleet, journal, store.clone(), clock.clone(), gateway).await.unwrap();
        engine.open().await;
        let shop = Self { engine, store, clock };
        for name in SKUS {
            let fill = request(StockCommand::SetOnHand { on_hand: STOCKED });
            shop.engine.inventory().ask(&sku(name), fill).await.unwrap();
        }
        shop
    }

    pub(crate) async fn cart_with(&self, names: &[&str]) -> CartId {
        let id = CartId::random();
        self.ask(id, CartCommand::Create { currency: gbp(), owner: None, metadata: None }).await;
        for name in names {
            let catalog = self.engine.catalog();
            self.ask(id, CartCommand::AddItem { sku: sku(name), quantity: 2, catalog }).await;
        }
        id
    }

    pub(crate) async fn ask(&self, cart: CartId, command: CartCommand) {
        self.engine.carts().ask(&cart, request::<Cart>(command)).await.unwrap();
    }

    pub(crate) async fn checkout(
        &self,
        cart: CartId,
        key: &str,
    ) -> Result<Ordered, RequestError<CheckoutRejection>> {
        let request = CheckoutRequest {
            cart,
            caller: Caller::Guest,
            key: KeyFingerprint::new(Caller::Guest, key, 1),
            expected: None,
            expected_total: None,
            details: CheckoutDetails::default(),
            payment: PaymentMethod { method: "card".to_owned(), token: None },
        };
        self.engine.checkout(request).await
    }

    pub(crate) async fn cancel(&self, order: OrderId) {
        self.engine.transition_order(order, OrderStatus::Cancelled, None, None).await.unwrap();
    }

    pub(crate) async fn cart(&self, id: CartId) -> Arc<Cart> {
        self.engine.carts().read(&id).await.unwrap().unwrap().view().clone()
    }

    pub(crate) async fn level(&self, name: &str) -> StockLevel {
        *self.engine.inventory().read(&sku(name)).await.unwrap().unwrap().view()
    }

    /// Until the SKU has this many on hand, and none held.
    pub(crate) async fn has(&self, name: &str, on_hand: i64) {
        until(async || {
            let level = self.level(name).await;
            (level.on_hand, level.held) == (on_hand, 0)
        })
        .await;
    }

    /// Until nothing is left to do for the cart's last checkout.
    pub(crate) async fn settles(&self, cart: CartId) {
        until(async || self.cart(cart).await.checkout.is_none()).await;
    }

    /// Nothing in the tables that must never be, once everything is written.
    pub(crate) async fn audit(&self) {
        self.engine.leave().await;
        self.engine.stop().await.unwrap();
        assert_eq!(self.store.audit().await.unwrap(), []);
    }
}

/// Waits for what must come in the end, on a clock that jumps.
pub(crate) async fn until(mut come: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !come().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    waited.await.expect("it comes");
}

fn product(name: &str) -> Product {
    single_variant_product(name, Money::new(PRICE, gbp()))
}
