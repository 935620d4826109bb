//! Pods of one shop in this process, on a database of their own in the PostgreSQL that the tests were given.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use smartcart_api::{
    app::App,
    config::{PeerSettings, Seed, Settings},
    target::Target,
};
use smartcart_domain::id::random_bytes;
use smartcart_engine::clock::{Clock, SystemClock};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use super::{Answer, Client, Request, until};

const NO_POSTGRES: &str =
    "these tests need a PostgreSQL: `make unit`, or `scripts/with-postgres.sh cargo test --workspace`";
pub(crate) const TOKEN: &str = "service-token-of-the-fleet-tests-0123456789abcdef";

/// The shop that pods share: a database, and a folder with what every pod has of its own.
pub(crate) struct Fleet {
    pub(crate) folder: TempDir,
    pub(crate) database: String,
}

pub(crate) struct FleetPod {
    pub(crate) app: App,
}

impl Fleet {
    pub(crate) async fn new() -> Self {
        let server = std::env::var("SMARTCART_TEST_POSTGRES").expect(NO_POSTGRES);
        super::log_with_the_test();
        let name = format!("test_{:032x}", u128::from_be_bytes(random_bytes()));
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("admin-token"), TOKEN).unwrap();
        std::fs::write(folder.path().join("secret"), "a secret of more than thirty-two bytes").unwrap();
        Self { folder, database: format!("{address}/{name}") }
    }

    /// Two pods, `a` and `b`, and mugs: 100 on hand, 7.50 GBP.
    pub(crate) async fn of_two() -> (Self, FleetPod, FleetPod) {
        let fleet = Self::new().await;
        let (a, b) = fleet.two_with(|_| {}).await;
        (fleet, a, b)
    }

    /// Two pods with settings of their own, and mugs.
    pub(crate) async fn two_with(&self, change: impl Fn(&mut Settings)) -> (FleetPod, FleetPod) {
        let clock = || Arc::new(SystemClock::default());
        let pod = |name| self.pod_with(name, Target::All, clock(), &change);
        let (a, b) = tokio::join!(pod("a"), pod("b"));
        let mug = json!({"name": "Mug", "category": "Kitchen", "variants": [
            {"sku": "MUG", "prices": [{"amount": 750, "currency": "GBP"}]}]});
        a.send(Request::new("PUT", "/v1/products/MUG").bearer(TOKEN).json(&mug)).await.is(201);
        let shelf = Request::new("PUT", "/v1/inventory/MUG").bearer(TOKEN).json(&json!({"on_hand": 100}));
        a.send(shelf).await.is(200);
        let shares = async || (a.owners().await, a.owns().await, b.owns().await);
        until("both pods have their share, and nothing moves any more", async || {
            let before = shares().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            before.1 > 256 && before.2 > 256 && shares().await == before
        })
        .await;
        (a, b)
    }

    pub(crate) async fn pod(&self, name: &str) -> FleetPod {
        self.pod_with(name, Target::All, Arc::new(SystemClock::default()), |_| {}).await
    }

    pub(crate) async fn pod_with(
        &self,
        name: &str,
        target: Target,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut Settings),
    ) -> FleetPod {
        let any_port: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let mut settings = Settings::default();
        settings.http.listen = Some(any_port);
        settings.ops.ops_listen = Some(any_port);
        settings.storage.database_url = Some(self.database.clone());
        settings.shop.seed = Some(Seed::None);
        settings.auth.admin_token_file = Some(self.folder.path().join("admin-token"));
        settings.peers = PeerSettings {
            pod: Some(name.to_owned()),
            peer_listen: Some(any_port),
            peer_secret_file: Some(self.folder.path().join("secret")),
            ..PeerSettings::default()
        };
        change(&mut settings);
        let starting = Box::pin(App::start(settings.build().unwrap(), target, clock));
        let app = starting.await.unwrap();
        FleetPod { app }
    }
}

impl FleetPod {
    pub(crate) async fn send(&self, request: Request) -> Answer {
        Client::connect(self.app.api).await.send(request).await
    }

    pub(crate) async fn get(&self, path: impl Into<String>) -> Answer {
        self.send(Request::new("GET", path)).await
    }

    pub(crate) async fn post(&self, path: impl Into<String>, body: Value) -> Answer {
        self.send(Request::new("POST", path).json(&body)).await
    }

    /// A guest's new cart: its path.
    pub(crate) async fn cart(&self) -> String {
        let answer = self.send(Request::new("POST", "/v1/carts")).await.is(201);
        answer.header("location").unwrap().to_owned()
    }

    pub(crate) async fn ops(&self, request: Request) -> Answer {
        Client::connect(self.app.ops).await.send(request).await
    }

    pub(crate) async fn status(&self) -> Value {
        self.ops(Request::new("GET", "/ops/api/status")).await.is(200).json()["engine"].take()
    }

    /// Who owns each shard, by the pod's name, as this pod knows it.
    pub(crate) async fn owners(&self) -> HashMap<u64, String> {
        let shards = self.ops(Request::new("GET", "/ops/api/shards")).await.is(200).json();
        let row = |row: &Value| Some((row["shard"].as_u64()?, row["owner"].as_str()?.to_owned()));
        shards["items"].as_array().unwrap().iter().filter_map(row).collect()
    }

    pub(crate) async fn owns(&self) -> u64 {
        self.status().await["shards_owned"].as_u64().unwrap()
    }
}
