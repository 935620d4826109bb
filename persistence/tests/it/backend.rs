//! The places that keep things: files, and the databases that the tests were given.

use std::{path::PathBuf, sync::Arc};

use smartcart_domain::{
    id::{IncarnationId, random_bytes},
    time::ShopTime,
};
use smartcart_engine::{journal::Journal, registry::Registry, store::Store};
use smartcart_persistence::{
    postgres::{self, Shared},
    redis::{RedisJournal, Server, Settings},
    sqlite::{Embedded, MissingChanges, open},
};
use smartcart_testkit::conformance::backend::{Backend, Fleet, Shop, member};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::redis::{cluster::Cluster, server::RedisServer};

pub(crate) struct Sqlite {
    directory: TempDir,
    embedded: Embedded,
}

impl Sqlite {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let embedded = open(&address(&directory), MissingChanges::Refuse).await.unwrap();
        Self { directory, embedded }
    }

    /// Closes both files, and lets something happen to them.
    pub(crate) async fn closed(self) -> ClosedSqlite {
        self.embedded.store.close().await;
        self.embedded.journal.close().await;
        ClosedSqlite { directory: self.directory }
    }

    pub(crate) fn address(&self) -> String {
        address(&self.directory)
    }
}

fn address(directory: &TempDir) -> String {
    format!("sqlite:{}/data/shop.db", directory.path().display())
}

impl Backend for Sqlite {
    fn journal(&self) -> &dyn Journal {
        &*self.embedded.journal
    }

    async fn restarted(self) -> Self {
        self.closed().await.opened().await
    }
}

pub(crate) struct ClosedSqlite {
    directory: TempDir,
}

impl ClosedSqlite {
    pub(crate) fn tables(&self) -> PathBuf {
        self.directory.path().join("data/shop.db")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.path().join("data/shop-journal.db")
    }

    pub(crate) async fn opened(self) -> Sqlite {
        let embedded = open(&address(&self.directory), MissingChanges::Refuse).await.unwrap();
        Sqlite { directory: self.directory, embedded }
    }

    /// Runs SQL on one of the files behind the shop's back.
    pub(crate) async fn tamper(&self, file: PathBuf, sql: &'static str) {
        use sqlx::{ConnectOptions, Connection};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection = options.foreign_keys(false).connect().await.unwrap();
        sqlx::raw_sql("PRAGMA ignore_check_constraints = ON").execute(&mut connection).await.unwrap();
        let changed = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap().rows_affected();
        assert!(changed > 0, "nothing was changed by {sql}");
        connection.close().await.unwrap();
    }
}

/// A database of its own in the PostgreSQL that the tests were given, with the members 1 and 2.
pub(crate) struct Postgres {
    pub(crate) address: String,
    pub(crate) shared: Shared,
}

const NO_POSTGRES: &str =
    "these tests need a PostgreSQL: `make unit`, or `scripts/with-postgres.sh cargo test --workspace`";

impl Postgres {
    pub(crate) async fn new() -> Self {
        let server = std::env::var("SMARTCART_TEST_POSTGRES").expect(NO_POSTGRES);
        let name = format!("test_{:032x}", u128::from_be_bytes(random_bytes()));
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let address = format!("{address}/{name}");
        let shared = opened(&address, 1).await;
        for incarnation in [1, 2] {
            shared.registry.join(&member(incarnation), ShopTime(0)).await.unwrap();
        }
        Self { address, shared }
    }

    /// The same shop, as another pod has it open.
    pub(crate) async fn as_pod(&self, incarnation: u128) -> Shared {
        opened(&self.address, incarnation).await
    }

    /// A connection behind the shop's back.
    pub(crate) async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.address).await.unwrap()
    }
}

async fn opened(address: &str, incarnation: u128) -> Shared {
    postgres::open(address, Some(IncarnationId(incarnation))).await.unwrap()
}

impl Backend for Postgres {
    fn journal(&self) -> &dyn Journal {
        &*self.shared.journal
    }

    async fn restarted(self) -> Self {
        self.shared.close().await;
        let shared = opened(&self.address, 1).await;
        Self { address: self.address, shared }
    }
}

impl Shop for Sqlite {
    fn store(&self) -> &dyn Store {
        &*self.embedded.store
    }
}

impl Shop for Postgres {
    fn store(&self) -> &dyn Store {
        &*self.shared.store
    }
}

impl Fleet for Postgres {
    fn registry(&self) -> &dyn Registry {
        &*self.shared.registry
    }

    async fn registry_of(&self, incarnation: IncarnationId) -> Arc<dyn Registry> {
        self.as_pod(incarnation.0).await.registry
    }
}

pub(crate) fn journal_at(url: impl Into<String>) -> Server {
    Server::new(&Settings::at(url)).unwrap()
}

/// The bare journal.
pub(crate) struct Redis {
    server: RedisServer,
    journal: RedisJournal,
}

impl Redis {
    pub(crate) async fn new() -> Self {
        Self::on(RedisServer::new().await)
    }

    fn on(server: RedisServer) -> Self {
        Self { journal: RedisJournal::new(journal_at(server.address())), server }
    }
}

impl Backend for Redis {
    fn journal(&self) -> &dyn Journal {
        &self.journal
    }

    async fn restarted(self) -> Self {
        let mut server = self.server;
        server.kill();
        server.start().await;
        Self::on(server)
    }
}

/// The bare journal, on three primaries.
pub(crate) struct RedisCluster {
    cluster: Cluster,
    journal: RedisJournal,
}

impl RedisCluster {
    pub(crate) async fn new() -> Self {
        Self::on(Cluster::new().await)
    }

    fn on(cluster: Cluster) -> Self {
        Self { journal: RedisJournal::new(journal_at(cluster.address())), cluster }
    }
}

impl Backend for RedisCluster {
    fn journal(&self) -> &dyn Journal {
        &self.journal
    }

    async fn restarted(self) -> Self {
        let mut cluster = self.cluster;
        cluster.restart().await;
        Self::on(cluster)
    }
}
