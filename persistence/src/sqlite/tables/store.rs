//! The store: which statement answers which question, and on which connection.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use smartcart_domain::{
    catalog::Product,
    entry::Watermark,
    failure::Failure,
    id::{AddressId, CartId, IdSecret, IncarnationId, OrderId, ProductId, SessionId, Sku, UserId},
    orders::Order,
    snapshot::{CartSnapshot, StockSnapshot},
    time::{ShopTime, Timestamp},
    users::{Address, Session, User},
};
use smartcart_engine::store::{
    CatalogStore, EntityStore, Finding, OrderStore, Store, StoreError, Stored, TableBatch, TableKey,
    UserStore, Written,
};
use sqlx::{
    ConnectOptions as _, Connection, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::{addresses, audit, carts, catalog, entities, inventory, orders, sessions, users};
use crate::error::{Severity, TableError, TableResult, failure, not_connected, severity, store_error};

/// Connections that read; a read takes tens of microseconds when its pages are in memory.
const READERS: u32 = 4;
/// How long a read waits for a connection.
const READER_PATIENCE: Duration = Duration::from_secs(5);

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

#[async_trait]
impl EntityStore for SqliteStore {
    async fn load_cart(&self, id: CartId) -> Result<Option<Stored<CartSnapshot>>, StoreError> {
        Ok(carts::load(&mut *self.reader().await?, id).await?)
    }

    async fn load_stock(&self, sku: &Sku) -> Result<Option<Stored<StockSnapshot>>, StoreError> {
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

#[async_trait]
impl CatalogStore for SqliteStore {
    async fn load_catalog(&self) -> Result<(u64, Vec<Product>), StoreError> {
        Ok(catalog::load(&mut *self.reader().await?).await?)
    }

    async fn put_product(
        &self,
        product: &Product,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<Written<Product>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(catalog::put(&mut writer, product, expected, key.as_ref()).await)
    }

    async fn put_products(&self, products: &[Product]) -> Result<Vec<Product>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(catalog::put_many(&mut writer, products).await)
    }

    async fn delete_product(
        &self,
        id: &ProductId,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<Written<()>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(catalog::delete(&mut writer, id, expected, key.as_ref()).await)
    }
}

#[async_trait]
impl OrderStore for SqliteStore {
    async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        Ok(orders::load(&mut *self.reader().await?, id).await?)
    }

    async fn orders(
        &self,
        user: Option<UserId>,
        before: Option<(Timestamp, OrderId)>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError> {
        Ok(orders::page(&mut *self.reader().await?, user, before, limit).await?)
    }

    async fn transition_order(
        &self,
        next: &Order,
        key: Option<TableKey>,
    ) -> Result<Written<Order>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(orders::transition(&mut writer, next, key.as_ref()).await)
    }

    async fn order_of_key(&self, key: TableKey) -> Result<Option<Order>, StoreError> {
        Ok(orders::of_key(&mut *self.reader().await?, &key).await?)
    }

    async fn orders_to_restock(&self, limit: usize) -> Result<Vec<Order>, StoreError> {
        Ok(orders::to_restock(&mut *self.reader().await?, limit).await?)
    }

    async fn mark_restocked(&self, id: OrderId) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        self.written(orders::mark_restocked(&mut writer, id).await)
    }
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn create_user(&self, user: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(users::create(&mut writer, user, key.as_ref()).await)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(users::load(&mut *self.reader().await?, id).await?)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        Ok(users::by_email(&mut *self.reader().await?, email).await?)
    }

    async fn update_user(&self, next: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(users::update(&mut writer, next, key.as_ref()).await)
    }

    async fn create_session(
        &self,
        session: &Session,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(sessions::create(&mut writer, session, key.as_ref()).await)
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(sessions::load(&mut *self.reader().await?, id).await?)
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        generation: u64,
        expires_at: Timestamp,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(sessions::rotate(&mut writer, id, generation, expires_at, key.as_ref()).await)
    }

    async fn revoke_session(&self, id: SessionId) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        self.written(sessions::revoke(&mut writer, id).await)
    }

    async fn revoke_sessions_of(
        &self,
        user: UserId,
        but: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(sessions::revoke_all_of(&mut writer, user, but).await)
    }

    async fn revoked_sessions(&self, now: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        Ok(sessions::revoked(&mut *self.reader().await?, now).await?)
    }

    async fn addresses(&self, user: UserId) -> Result<Vec<Address>, StoreError> {
        Ok(addresses::of_user(&mut *self.reader().await?, user).await?)
    }

    async fn put_address(
        &self,
        next: &Address,
        key: Option<TableKey>,
    ) -> Result<Written<Address>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(addresses::put(&mut writer, next, key.as_ref()).await)
    }

    async fn delete_address(
        &self,
        user: UserId,
        id: AddressId,
        key: Option<TableKey>,
    ) -> Result<Written<()>, StoreError> {
        let mut writer = self.writer().await?;
        self.written(addresses::delete(&mut writer, user, id, key.as_ref()).await)
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn audit(&self) -> Result<Vec<Finding>, StoreError> {
        Ok(audit::audit(&mut *self.reader().await?).await?)
    }
}

#[cfg(test)]
mod tests {
    use smartcart_domain::{failure::Effect, id::random_bytes};

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
