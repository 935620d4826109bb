//! Pods of one shop in memory, each with its public service.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use bytes::Bytes;
use serde_json::{Value, json};
use smartcart_api::{
    app_state::AppState,
    auth::{Auth, AuthConfig, PasswordConfig, Revoked, ServiceToken},
    changes::Changes,
    disclosure::Disclosure,
    limits::BodyLimit,
    reply::REPLAYED,
    router,
    target::Target,
};
use smartcart_domain::{
    change::EntityKey,
    id::{CartId, IncarnationId},
    time::ShopTime,
};
use smartcart_engine::{
    Config, Engine,
    commit::WriteBehindConfig,
    engine::Fleet,
    membership::FleetConfig,
    payment::{InvoiceGateway, PaymentGateway},
    registry::Registry as _,
};
use smartcart_testkit::memory::{
    Database, MemoryJournal, MemoryPeers, MemoryRegistry, MemoryStore, Network, fixtures::live_member,
};
use tower::ServiceExt as _;

use crate::clock::TokioClock;

const TOKEN: &str = "service-token-of-the-failure-tests-0123456789";

#[derive(Default)]
pub(crate) struct Shop {
    database: Database,
    network: Network,
}

pub(crate) struct Pod {
    name: String,
    pub(crate) engine: Arc<Engine>,
    pub(crate) incarnation: IncarnationId,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) peers: Arc<MemoryPeers>,
    registry: Arc<MemoryRegistry>,
    address: String,
    api: Router,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: bool,
    pub(crate) replayed: bool,
    body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status, and a problem's code.
    pub(crate) fn said(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Not done, or perhaps done: a 503 with `Retry-After`.
    #[track_caller]
    pub(crate) fn is(self, status: u16, code: &str) -> Self {
        assert_eq!(self.said(), (status, code.to_owned()), "{}", self.json());
        assert_eq!(self.retry_after, status == 503, "{}", self.json());
        self
    }
}

impl Shop {
    /// One pod that serves every shard and sells mugs.
    pub(crate) async fn open() -> (Self, Pod) {
        let shop = Self::default();
        let pod = shop.join("a", Arc::new(InvoiceGateway)).await;
        pod.engine.open().await;
        pod.stock_mugs().await;
        (shop, pod)
    }

    /// Two pods that serve about half of the shards each, and sell mugs.
    pub(crate) async fn open_two(gateway: Arc<dyn PaymentGateway>) -> (Self, Pod, Pod) {
        let shop = Self::default();
        let (a, b) = (shop.join("a", gateway.clone()).await, shop.join("b", gateway).await);
        tokio::join!(a.engine.open(), b.engine.open());
        a.stock_mugs().await;
        (shop, a, b)
    }

    async fn join(&self, name: &str, gateway: Arc<dyn PaymentGateway>) -> Pod {
        let incarnation = IncarnationId::random();
        let member = live_member(name, incarnation);
        let journal = Arc::new(MemoryJournal::new(&self.database));
        let store = Arc::new(MemoryStore::new(&self.database, Some(incarnation)));
        let peers = Arc::new(MemoryPeers::new(&self.network));
        let registry = Arc::new(MemoryRegistry::new(&self.database));
        let fleet = Fleet {
            member: member.clone(),
            registry: registry.clone(),
            peers: peers.clone(),
            placement: None,
            config: FleetConfig::default(),
        };
        let clock = Arc::new(TokioClock::starting_now());
        let engine =
            Engine::join(Config::default(), fleet, journal.clone(), store.clone(), clock, gateway).await;
        let engine = engine.unwrap();
        self.network.listen(&member.address, engine.clone(), peers.faults());
        let api = api(&engine, name);
        let (name, address) = (name.to_owned(), member.address);
        Pod { name, engine, incarnation, journal, store, peers, registry, address, api }
    }

    /// A shop of one process, whose tables stay behind: nothing but the journal fails.
    pub(crate) async fn open_alone(&self) -> Pod {
        let write_behind = WriteBehindConfig { interval: Duration::from_secs(3600), ..Default::default() };
        let config = Config { write_behind, ..Config::default() };
        let journal = Arc::new(MemoryJournal::new(&self.database));
        let store = Arc::new(MemoryStore::new(&self.database, None));
        let clock = Arc::new(TokioClock::starting_now());
        let gateway = Arc::new(InvoiceGateway);
        let engine = Engine::start(config, journal.clone(), store.clone(), clock, gateway).await.unwrap();
        let registry = Arc::new(MemoryRegistry::new(&self.database));
        let member = live_member("alone", engine.status().incarnation.parse().unwrap());
        // The journal in memory takes entries of members only.
        registry.join(&member, ShopTime::default()).await.unwrap();
        let pod = Pod {
            name: member.pod,
            incarnation: member.incarnation,
            journal,
            store,
            peers: Arc::new(MemoryPeers::new(&self.network)),
            registry,
            address: String::new(),
            api: api(&engine, "alone"),
            engine,
        };
        pod.stock_mugs().await;
        pod
    }

    /// The pod's process has ended: nothing of it reaches anybody.
    pub(crate) fn end(&self, pod: &Pod) {
        self.network.close(&pod.address);
        pod.journal.faults().cut();
        pod.store.faults().cut();
        pod.registry.faults().cut();
        pod.peers.faults().cut();
    }

    /// A cart's id whose shard belongs to this pod.
    pub(crate) async fn cart_of(&self, pod: &Pod) -> CartId {
        let rows = MemoryRegistry::new(&self.database).shards().await.unwrap();
        loop {
            let id = CartId::random();
            if rows[usize::from(EntityKey::Cart(id).shard().0)].owner == Some(pod.incarnation) {
                return id;
            }
        }
    }
}

fn api(engine: &Arc<Engine>, name: &str) -> Router {
    let token_file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{name}-{}", u128::from_be_bytes(smartcart_domain::id::random_bytes())));
    std::fs::write(&token_file, TOKEN).unwrap();
    let token = ServiceToken::load(&token_file).unwrap();
    std::fs::remove_file(&token_file).unwrap();
    let config = AuthConfig {
        access_lifetime: Duration::from_secs(900),
        refresh_lifetime: Duration::from_secs(86_400),
        refresh_grace: Duration::ZERO,
        passwords: PasswordConfig::default(),
    };
    let limit = BodyLimit { bytes: 1 << 20, time: Duration::from_secs(5) };
    let state = AppState {
        changes: Changes::default(),
        engine: engine.clone(),
        auth: Auth::new(config, engine.secret(), token, Revoked::default()).unwrap(),
        currency: "GBP".parse().unwrap(),
        disclosure: Disclosure { up_to: i64::MAX, low: 0 },
        body_limit: limit,
        upload_limit: limit,
    };
    let (router, _) = router::api(Duration::from_secs(60), Target::All);
    router.with_state(Arc::new(state))
}

/// A request as a client writes it.
#[derive(Clone)]
pub(crate) struct Call {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

pub(crate) fn call(method: &'static str, path: impl Into<String>) -> Call {
    Call { method, path: path.into(), headers: Vec::new(), body: String::new() }
}

impl Call {
    pub(crate) fn service(self) -> Self {
        self.bearer(TOKEN)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", format!("{key}-of-thirty-two-characters-or-more"))
    }

    fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    pub(crate) fn text(mut self, kind: &str, body: String) -> Self {
        self.body = body;
        self.header("content-type", kind.to_owned())
    }
}

impl Pod {
    pub(crate) async fn send(&self, call: Call) -> Answer {
        let mut request = Request::builder().method(call.method).uri(call.path);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let response = self.api.clone().oneshot(request.body(Body::from(call.body)).unwrap()).await.unwrap();
        let (status, retry_after) =
            (response.status().as_u16(), response.headers().contains_key(header::RETRY_AFTER));
        let replayed = response.headers().contains_key(REPLAYED);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer { status, retry_after, replayed, body }
    }

    /// Whether the SKU's shard is this pod's.
    pub(crate) fn owns(&self, sku: &str) -> bool {
        let shard = EntityKey::Stock(sku.parse().unwrap()).shard();
        self.engine.shards()[usize::from(shard.0)].owner.as_deref() == Some(&*self.name)
    }

    async fn stock_mugs(&self) {
        self.send(call("PUT", "/v1/products/MUG").service().json(&product("Mug"))).await.is(201, "");
        let shelf = call("PUT", "/v1/inventory/MUG").service().json(&json!({"on_hand": 100}));
        self.send(shelf).await.is(200, "");
    }

    pub(crate) async fn on_hand(&self) -> Value {
        self.send(call("GET", "/v1/inventory/MUG").service()).await.is(200, "").json()["on_hand"].take()
    }
}

/// A product whose SKU is MUG.
pub(crate) fn product(name: &str) -> Value {
    json!({"name": name, "variants": [{"sku": "MUG", "prices": [{"amount": 750, "currency": "GBP"}]}]})
}

/// Eight mugs more.
pub(crate) fn adjustment(key: &str) -> Call {
    let body = json!({"delta": 8, "reason": "delivery"});
    call("POST", "/v1/inventory/MUG/adjustments").service().key(key).json(&body)
}
