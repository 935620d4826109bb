//! A shop in a directory: opened, crashed, opened again.

use std::{path::Path, sync::Arc, time::Duration};

use smartcart_domain::{
    cart::{Cart, CartCommand},
    catalog::{Product, Variant},
    entity::Entity,
    id::{CartId, HoldId, Sku},
    idempotency::{Caller, KeyFingerprint},
    inventory::{Stock, StockCommand, StockLevel},
    money::Money,
    orders::CheckoutDetails,
    payment::PaymentMethod,
    request::{CheckoutRejection, CheckoutRequest, Ordered, Request, RequestError},
    time::Timestamp,
};
use smartcart_engine::{
    Config, Engine,
    clock::ManualClock,
    journal::Journal,
    payment::{InvoiceGateway, PaymentGateway},
    published::Answer,
    store::Store,
};
use smartcart_persistence::sqlite::{self, MissingChanges, SqliteJournal, SqliteStore};
use tempfile::TempDir;

use crate::faults::FaultyJournal;

pub(crate) struct Shop {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faults: Arc<FaultyJournal>,
    journal: Arc<SqliteJournal>,
    store: Arc<SqliteStore>,
    directory: TempDir,
}

pub(crate) type Asked<E> = Result<Answer<E>, RequestError<<E as Entity>::Rejection>>;

pub(crate) fn sku(name: &str) -> Sku {
    name.parse().expect("a SKU")
}

/// A key of a guest's, for whatever request.
pub(crate) fn key(text: &str) -> KeyFingerprint {
    KeyFingerprint::new(Caller::Guest, text, 1)
}

pub(crate) fn request<E: Entity>(command: E::Command) -> Request<E> {
    Request { command, caller: Caller::Guest, key: None, expected: None, fresh: false }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(Config::default()).await
    }

    pub(crate) async fn open_with(config: Config) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let shop = Self::open_in(directory, config, FaultyJournal::new).await;
        shop.sell(&["mug", "pot", "tin"], 250).await;
        shop
    }

    pub(crate) async fn open_in(
        directory: TempDir,
        config: Config,
        faults: impl FnOnce(Arc<dyn Journal>) -> FaultyJournal,
    ) -> Self {
        Self::open_paid_by(directory, config, faults, Arc::new(InvoiceGateway)).await
    }

    pub(crate) async fn open_paid_by(
        directory: TempDir,
        config: Config,
        faults: impl FnOnce(Arc<dyn Journal>) -> FaultyJournal,
        gateway: Arc<dyn PaymentGateway>,
    ) -> Self {
        let opened =
            sqlite::open(&address(directory.path()), MissingChanges::Refuse).await.expect("the shop opens");
        let faults = Arc::new(faults(opened.journal.clone()));
        let clock = Arc::new(ManualClock::at(Timestamp(1_800_000_000_000)));
        let engine = Engine::start(config, faults.clone(), opened.store.clone(), clock.clone(), gateway)
            .await
            .expect("the engine starts");
        Self { engine, clock, faults, journal: opened.journal, store: opened.store, directory }
    }

    /// As after `kill -9`: whatever is under way reaches no file any more.
    pub(crate) async fn crash(self) -> TempDir {
        self.journal.close().await;
        self.store.close().await;
        self.directory
    }

    pub(crate) async fn stop(self) -> TempDir {
        self.engine.stop().await.expect("it stops in good order");
        self.crash().await
    }

    pub(crate) async fn reopen(self) -> Self {
        let directory = self.crash().await;
        Self::open_in(directory, Config::default(), FaultyJournal::new).await
    }

    pub(crate) async fn sell(&self, names: &[&str], price: i64) {
        let product = |name: &&str| Product {
            id: name.parse().expect("a product id"),
            version: 0,
            name: format!("The {name}"),
            description: String::new(),
            category: String::new(),
            images: Vec::new(),
            variants: vec![Variant {
                sku: sku(name),
                attributes: std::collections::BTreeMap::new(),
                prices: vec![Money::new(price, "GBP".parse().expect("a currency"))],
            }],
            updated_at: Timestamp::default(),
        };
        let products: Vec<_> = names.iter().map(product).collect();
        self.engine.put_products(&products).await.expect("the catalogue takes them");
    }

    pub(crate) async fn cart(&self) -> CartId {
        let id = CartId::random();
        let command =
            CartCommand::Create { currency: "GBP".parse().expect("a currency"), owner: None, metadata: None };
        let create = Request { fresh: true, ..request(command) };
        self.engine.carts().ask(&id, create).await.expect("a cart is created");
        id
    }

    pub(crate) fn add_command(&self, name: &str, quantity: u32) -> CartCommand {
        CartCommand::AddItem { sku: sku(name), quantity, catalog: self.engine.catalog() }
    }

    pub(crate) async fn add(&self, cart: CartId, name: &str, quantity: u32) -> Asked<Cart> {
        self.engine.carts().ask(&cart, request(self.add_command(name, quantity))).await
    }

    pub(crate) async fn add_keyed(&self, cart: CartId, name: &str, quantity: u32, text: &str) -> Asked<Cart> {
        let request = Request { key: Some(key(text)), ..request(self.add_command(name, quantity)) };
        self.engine.carts().ask(&cart, request).await
    }

    pub(crate) async fn stock(&self, name: &str, on_hand: i64) {
        self.ask_stock(name, StockCommand::SetOnHand { on_hand }).await.expect("the shelf is filled");
    }

    pub(crate) async fn ask_stock(&self, name: &str, command: StockCommand) -> Asked<Stock> {
        self.engine.inventory().ask(&sku(name), request(command)).await
    }

    pub(crate) async fn hold(&self, name: &str, id: u128, quantity: u32, seconds: u64) -> Asked<Stock> {
        let ttl = Duration::from_secs(seconds);
        self.ask_stock(name, StockCommand::PlaceHold { id: HoldId(id), quantity, ttl }).await
    }

    pub(crate) async fn level(&self, name: &str) -> StockLevel {
        *self.engine.inventory().read(&sku(name)).await.expect("it answers").expect("it is stocked").view()
    }

    pub(crate) async fn quantity(&self, cart: CartId, name: &str) -> u32 {
        let published =
            self.engine.carts().read(&cart).await.expect("it answers").expect("the cart is there");
        published.view().line(&sku(name)).map_or(0, |line| line.quantity)
    }

    pub(crate) async fn checkout(
        &self,
        cart: CartId,
        text: &str,
    ) -> Result<Ordered, RequestError<CheckoutRejection>> {
        let request = CheckoutRequest {
            cart,
            caller: Caller::Guest,
            key: key(text),
            expected: None,
            expected_total: None,
            details: CheckoutDetails::default(),
            payment: PaymentMethod { method: "invoice".to_owned(), token: None },
        };
        self.engine.checkout(request).await
    }

    /// Nothing in the tables that must never be, once everything is written.
    pub(crate) async fn close_and_audit(self) {
        self.engine.stop().await.expect("it stops in good order");
        let findings = self.store.audit().await.expect("the audit runs");
        assert_eq!(findings, [], "the books do not balance");
        self.crash().await;
    }
}

fn address(directory: &Path) -> String {
    format!("sqlite:{}", directory.join("shop.db").display())
}
