//! The store: what changes something waits for the writer, what only reads for one of the readers.

use std::{sync::OnceLock, time::Duration};

use async_trait::async_trait;
use smartcart_domain::failure::Failure;
use smartcart_engine::store::{Finding, Store, StoreError, TableBatch};
use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::{addresses, audit, catalog, entities, keys, orders, sessions, users};
use crate::{
    error::{Severity, TableError, TableResult, not_connected, read_error, severity},
    table_stores::implement_table_stores,
};

/// Connections that read; a read takes tens of microseconds when its pages are in memory.
const READERS: u32 = 4;
/// How long a read waits for a connection.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// What changes nothing, beside the writer.
macro_rules! read {
    ($store:expr, $connection:ident => $work:expr) => {{
        let mut reader = $store.reader().await?;
        let $connection: &mut SqliteConnection = &mut reader;
        $work.await.map_err(read_error)
    }};
}

macro_rules! write {
    ($store:expr, $connection:ident => $work:expr) => {{
        let mut writer = $store.writer().await?;
        let $connection: &mut SqliteConnection = &mut writer;
        $store.written($work.await)
    }};
}

#[derive(Debug)]
pub struct SqliteStore {
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
    statements: entities::Statements,
    /// Why the tables are read-only. A restart opens them again.
    failed: OnceLock<String>,
}

impl SqliteStore {
    pub(in crate::sqlite) async fn new(
        writer: SqliteConnection,
        reader: SqliteConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(1)
            .acquire_timeout(READER_PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(reader)
            .await?;
        let (writer, statements) = (Mutex::new(Some(writer)), entities::Statements::default());
        Ok(Self { writer, readers, statements, failed: OnceLock::new() })
    }

    /// Lets go of the file. Nothing can be done with the tables after this.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take()
            && let Err(error) = writer.close().await
        {
            tracing::warn!(%error, "the tables' file did not close cleanly; the next start recovers it");
        }
    }

    async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        if let Some(reason) = self.failed.get() {
            return Err(Failure::not_applied(format!("the tables are read-only: {reason}")).into());
        }
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut)
            .map_err(|_| Failure::not_applied("the tables were closed").into())
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(|error| not_connected(&error))
    }

    async fn write_batch(&self, batch: &TableBatch) -> Result<(), StoreError> {
        write!(self, connection => entities::flush(connection, &self.statements, batch))
    }

    /// After a failed write or fsync what the file holds is not known: no more writing.
    fn written<T>(&self, result: TableResult<T>) -> Result<T, StoreError> {
        if let Err(TableError::Sql(error)) = &result
            && severity(error) == Severity::Fatal
        {
            self.failed.get_or_init(|| {
                tracing::error!(%error, "the tables cannot be written: they are read-only until a restart");
                error.to_string()
            });
        }
        result.map_err(Into::into)
    }
}

implement_table_stores!(SqliteStore, read, write);

#[async_trait]
impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn audit(&self) -> Result<Vec<Finding>, StoreError> {
        read!(self, connection => audit::audit(connection))
    }
}

#[cfg(test)]
mod tests {
    use smartcart_domain::{
        failure::Effect,
        id::{UserId, random_bytes},
        time::Timestamp,
        users::User,
    };
    use smartcart_engine::store::{EntityStore as _, UserStore as _};

    use super::*;
    use crate::sqlite::open;

    fn user(number: u128) -> User {
        User {
            id: UserId(number),
            version: 1,
            email: format!("{number}@example.com"),
            name: format!("{:?}", random_bytes::<256>()),
            password_hash: String::new(),
            created_at: Timestamp(0),
        }
    }

    #[tokio::test]
    async fn after_a_full_disk_the_tables_are_read_only() {
        let directory = tempfile::tempdir().unwrap();
        let shop = open(&format!("sqlite:{}/shop.db", directory.path().display())).await.unwrap();
        {
            let mut writer = shop.store.writer().await.unwrap();
            sqlx::raw_sql("PRAGMA max_page_count = 80").execute(&mut *writer).await.unwrap();
        }
        let mut created = 0;
        let refused = loop {
            match shop.store.create_user(&user(created + 1), None).await {
                Ok(_) => created += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StoreError::Failed(_)), "{refused:?}");
        assert!(created > 10, "{created}");
        let refused = shop.store.flush(&TableBatch::default()).await;
        let Err(StoreError::Failed(Failure { effect, reason })) = refused else { panic!("{refused:?}") };
        assert!(effect == Effect::NotApplied && reason.contains("read-only"), "{effect:?}: {reason}");
        assert!(shop.store.user(UserId(created)).await.unwrap().is_some());
        assert!(shop.store.user(UserId(created + 1)).await.unwrap().is_none());
    }
}
