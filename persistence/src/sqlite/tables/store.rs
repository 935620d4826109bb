//! The store: what changes something waits for the writer, what only reads for one of the readers.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use smartcart_domain::failure::Failure;
use smartcart_engine::store::{Finding, Store, StoreError, TableBatch};
use sqlx::{
    ConnectOptions as _, Connection, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::{addresses, audit, catalog, entities, orders, sessions, users};
use crate::{
    error::{Severity, TableError, TableResult, failure, not_connected, read_error, severity, store_error},
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
    /// How the writer is opened.
    options: SqliteConnectOptions,
    /// The file could not grow: what the writer was doing is undone, and a new one begins from what the file holds.
    reopen: AtomicBool,
    readers: SqlitePool,
    statements: entities::Statements,
    /// Why the tables are read-only. A restart opens them again.
    failed: OnceLock<String>,
}

impl SqliteStore {
    pub(in crate::sqlite) async fn new(
        writer: SqliteConnection,
        options: SqliteConnectOptions,
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
        Ok(Self {
            writer: Mutex::new(Some(writer)),
            options,
            reopen: AtomicBool::new(false),
            readers,
            statements: entities::Statements::default(),
            failed: OnceLock::new(),
        })
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
            return Err(StoreError::Unwritable(Failure::not_applied(reason.as_str())));
        }
        let mut writer = self.writer.lock().await;
        if self.reopen.load(Ordering::Relaxed) && writer.is_some() {
            *writer = Some(self.options.connect().await.map_err(|error| not_connected(&error))?);
            self.reopen.store(false, Ordering::Relaxed);
        }
        MutexGuard::try_map(writer, Option::as_mut)
            .map_err(|_| Failure::not_applied("the tables were closed").into())
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(|error| not_connected(&error))
    }

    async fn write_batch(&self, batch: &TableBatch) -> Result<(), StoreError> {
        write!(self, connection => entities::flush(connection, &self.statements, batch))
    }

    /// What became of a write, while its connection is still held. After a failed fsync what the file holds is not known: no
    /// more writing.
    fn written<T>(&self, result: TableResult<T>) -> Result<T, StoreError> {
        let error = match result {
            Err(TableError::Sql(error)) => error,
            other => return other.map_err(Into::into),
        };
        match severity(&error) {
            Severity::Refused | Severity::Busy => Err(store_error(&error)),
            Severity::NoRoom => {
                self.reopen.store(true, Ordering::Relaxed);
                Err(store_error(&error))
            }
            Severity::Fatal => {
                self.failed.get_or_init(|| {
                    tracing::error!(%error, "the tables cannot be written: they are read-only until a restart");
                    error.to_string()
                });
                Err(StoreError::Unwritable(failure(&error)))
            }
        }
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
    use crate::sqlite::{MissingChanges, open};

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
    async fn full_tables_are_written_again_when_there_is_room() {
        let directory = tempfile::tempdir().unwrap();
        let shop = open(&format!("sqlite:{}/shop.db", directory.path().display()), MissingChanges::Refuse)
            .await
            .unwrap();
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
        assert!(
            matches!(&refused, StoreError::Failed(Failure { effect: Effect::NotApplied, .. })),
            "{refused:?}"
        );
        assert!(created > 10, "{created}");
        assert!(shop.store.user(UserId(created)).await.unwrap().is_some());
        assert!(shop.store.user(UserId(created + 1)).await.unwrap().is_none());
        // The limit was the connection's alone: the next one finds room.
        shop.store.create_user(&user(created + 1), None).await.unwrap();
        shop.store.flush(&TableBatch::default()).await.unwrap();
        assert!(shop.store.user(UserId(created + 1)).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn tables_that_are_damaged_are_written_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let shop = open(&format!("sqlite:{}/shop.db", directory.path().display()), MissingChanges::Refuse)
            .await
            .unwrap();
        let damaged = sqlx::Error::Protocol("an fsync failed".to_owned());
        let first = shop.store.written::<()>(Err(damaged.into())).unwrap_err();
        assert!(
            matches!(&first, StoreError::Unwritable(Failure { effect: Effect::Indeterminate, .. })),
            "it may be there: {first:?}"
        );
        let later = shop.store.flush(&TableBatch::default()).await.unwrap_err();
        assert!(
            matches!(&later, StoreError::Unwritable(Failure { effect: Effect::NotApplied, .. })),
            "{later:?}"
        );
    }
}
