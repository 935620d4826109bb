//! The tables in a SQLite file: one writer, a few readers.

mod audit;
mod carts;
mod catalog;
mod entities;
mod inventory;
mod keys;
mod orders;
mod users;

use std::{sync::OnceLock, time::Duration};

use async_trait::async_trait;
use smartcart_engine::{
    catalog::Product,
    commit::{CartImage, StockImage, TableBatch, Watermark},
    id::{AddressId, CartId, IdSecret, IncarnationId, OrderId, ProductId, SessionId, Sku, UserId},
    orders::Order,
    store::{
        CatalogStore, EntityStore, Finding, OrderStore, Store, StoreError, Stored, TableKey, UserStore,
        Written,
    },
    time::{ShopTime, Timestamp},
    users::{Address, Session, User},
};
use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::error::{Severity, severity, store_error};

/// Connections that read; a read takes tens of microseconds when its pages are in memory.
const READERS: u32 = 4;
/// How long a read waits for a connection.
const READER_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct SqliteStore {
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
    statements: entities::Statements,
    /// Why the tables are read-only. A restart opens them again.
    failed: OnceLock<String>,
}

/// What a function over a connection can end with.
#[derive(Debug)]
enum TableError {
    Sql(sqlx::Error),
    Store(StoreError),
}

type TableResult<T> = Result<T, TableError>;

impl From<sqlx::Error> for TableError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for TableError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Sql(error) => store_error(&error),
            TableError::Store(error) => error,
        }
    }
}

impl SqliteStore {
    pub(super) async fn new(
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
            return Err(StoreError::Unavailable(format!("the tables are read-only: {reason}")));
        }
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut)
            .map_err(|_| StoreError::Unavailable("the tables were closed".to_owned()))
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(|error| store_error(&error))
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

#[async_trait]
impl EntityStore for SqliteStore {
    async fn load_cart(&self, id: CartId) -> Result<Option<Stored<CartImage>>, StoreError> {
        Ok(carts::load(&mut *self.reader().await?, id).await?)
    }

    async fn load_stock(&self, sku: &Sku) -> Result<Option<Stored<StockImage>>, StoreError> {
        Ok(inventory::load(&mut *self.reader().await?, sku).await?)
    }

    async fn flush(&self, batch: &TableBatch) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        self.written(entities::flush(&mut writer, &self.statements, batch).await)
    }

    async fn watermarks(&self, incarnation: IncarnationId) -> Result<Vec<Watermark>, StoreError> {
        Ok(entities::watermarks(&mut *self.reader().await?, incarnation).await?)
    }

    async fn forget_incarnation(&self, incarnation: IncarnationId) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        self.written(entities::forget_incarnation(&mut writer, incarnation).await)
    }

    async fn shop_time(&self) -> Result<ShopTime, StoreError> {
        Ok(entities::shop_time(&mut *self.reader().await?).await?)
    }

    async fn carts_checking_out(&self) -> Result<Vec<CartId>, StoreError> {
        Ok(carts::checking_out(&mut *self.reader().await?).await?)
    }

    async fn stocks_with_holds(&self) -> Result<Vec<Sku>, StoreError> {
        Ok(inventory::with_holds(&mut *self.reader().await?).await?)
    }

    async fn secret(&self) -> Result<IdSecret, StoreError> {
        let mut writer = self.writer().await?;
        self.written(entities::secret(&mut writer).await)
    }
}
