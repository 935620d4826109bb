//! Opening the shop's PostgreSQL: settings, checks, migrations.

use std::{sync::Arc, time::Duration};

use smartcart_domain::id::IncarnationId;
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    journal::PostgresJournal, notifications::NotificationListener, registry::PostgresRegistry,
    tables::PostgresStore,
};
use crate::error::ConnectError;

fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("migrations/postgres");
    #[cfg(feature = "next")]
    if smartcart_wire::next_version::is_simulated() {
        migrations
            .migrations
            .to_mut()
            .extend(sqlx::migrate!("tests/next-version").migrations.iter().cloned());
    }
    // Those of the next version.
    migrations.set_ignore_missing(true);
    migrations
}

const OLDEST: u32 = 15;
/// A few more than the journal has lanes: one whose connection was lost does not wait for another.
const JOURNAL_CONNECTIONS: u32 = 8;
const STORE_CONNECTIONS: u32 = 12;
/// Heartbeats wait for nobody: a pod whose loads are slow is not dead.
const REGISTRY_CONNECTIONS: u32 = 2;
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a new fleet's first pods wait for the one that brings the schema.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(120);

/// The shared shop, opened for one incarnation.
#[derive(Debug, Clone)]
pub struct Shared {
    pub journal: Arc<PostgresJournal>,
    pub store: Arc<PostgresStore>,
    pub registry: Arc<PostgresRegistry>,
}

impl Shared {
    pub async fn close(&self) {
        self.store.close().await;
        self.journal.close().await;
        self.registry.close().await;
    }
}

/// Opens the shop of a `postgres:` address, and brings its schema to this version's. The store writes for `incarnation`,
/// once it has joined; without one it reads, and what it writes behind is refused.
pub async fn open(address: &str, incarnation: Option<IncarnationId>) -> Result<Shared, ConnectError> {
    migrate(address).await?;
    let options = options(address)?;
    let pool = || PgPoolOptions::new().acquire_timeout(PATIENCE).max_lifetime(Duration::from_secs(30 * 60));
    // A lost connection is found by the append itself, which is repeated: no round trip to ask first.
    let journal = pool()
        .max_connections(JOURNAL_CONNECTIONS)
        .test_before_acquire(false)
        .connect_lazy_with(options.clone());
    let store = pool().max_connections(STORE_CONNECTIONS).connect_lazy_with(options.clone());
    let registry = pool().max_connections(REGISTRY_CONNECTIONS).connect_lazy_with(options.clone());
    let listener = NotificationListener::listen(options.clone());
    Ok(Shared {
        journal: Arc::new(PostgresJournal::new(journal)),
        store: Arc::new(PostgresStore::new(store, incarnation)),
        registry: Arc::new(PostgresRegistry::new(registry, options, listener)),
    })
}

/// Brings the database to this version's schema. A database that the next version has migrated is used as it is: each
/// migration leaves the version before it able to work (expand now, contract one version later), and says by
/// `needs_schema` when it does not.
pub async fn migrate(address: &str) -> Result<(), ConnectError> {
    // One that migrates waits for another's migration, longer than any other statement may take.
    let mut connection = connect(&base(address)?).await?;
    check(&mut connection).await?;
    let migrations = migrations();
    tokio::time::timeout(MIGRATION_PATIENCE, migrations.run(&mut connection))
        .await
        .map_err(|_| ConnectError::Schema("another pod's migration does not end".to_owned()))?
        .map_err(|error| ConnectError::Schema(error.to_string()))?;
    let needs: i64 = sqlx::query_scalar("SELECT needs_schema FROM shop")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| unreachable(&error))?;
    let newest = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    if needs > newest {
        return Err(ConnectError::Newer);
    }
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the migrations' connection did not close cleanly");
    }
    Ok(())
}

fn base(address: &str) -> Result<PgConnectOptions, ConnectError> {
    // An address may hold a password: only its beginning is repeated.
    let refuse = || ConnectError::Address(address.split('@').next_back().unwrap_or_default().to_owned());
    if !address.starts_with("postgres:") && !address.starts_with("postgresql:") {
        return Err(refuse());
    }
    let options: PgConnectOptions = address.parse().map_err(|_| refuse())?;
    Ok(options.application_name("smartcart").disable_statement_logging())
}

fn options(address: &str) -> Result<PgConnectOptions, ConnectError> {
    Ok(base(address)?.options([
        ("statement_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "5s"),
        // A pod that was cut off leaves no lock behind for longer.
        ("tcp_user_timeout", "5s"),
        // Nor one on which nothing is said, as that of a takeover: whether the other end lives is asked.
        ("tcp_keepalives_idle", "2"),
        ("tcp_keepalives_interval", "1"),
        ("tcp_keepalives_count", "3"),
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
    ]))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, ConnectError> {
    tokio::time::timeout(PATIENCE, options.connect())
        .await
        .map_err(|_| ConnectError::Unreachable("no answer in time".to_owned()))?
        .map_err(|error| unreachable(&error))
}

fn unreachable(error: &sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(error.to_string())
}

async fn check(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let (number, found): (String, String) =
        sqlx::query_as("SELECT current_setting('server_version_num'), current_setting('server_version')")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| unreachable(&error))?;
    if number.parse::<u32>().map_or(0, |number| number / 10_000) < OLDEST {
        return Err(ConnectError::TooOld { found, needed: OLDEST });
    }
    for setting in ["fsync", "full_page_writes"] {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| unreachable(&error))?;
        if value != "on" {
            return Err(ConnectError::Unsafe { setting });
        }
    }
    Ok(())
}
