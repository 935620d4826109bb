//! The store: which statement answers which question.

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
use sqlx::PgPool;

use super::{addresses, audit, catalog, entities, orders, sessions, users};
use crate::postgres::pooled_connection::with_connection;

#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    statements: entities::Statements,
    /// Whom the flushes are fenced for.
    writer: Option<IncarnationId>,
}

impl PostgresStore {
    pub(in crate::postgres) fn new(pool: PgPool, writer: Option<IncarnationId>) -> Self {
        Self { pool, statements: entities::Statements::default(), writer }
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl EntityStore for PostgresStore {
    async fn load_cart(&self, id: CartId) -> Result<Option<Stored<CartSnapshot>>, StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::load_cart(connection, id))?)
    }

    async fn load_stock(&self, sku: &Sku) -> Result<Option<Stored<StockSnapshot>>, StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::load_stock(connection, sku))?)
    }

    async fn flush(&self, batch: &TableBatch) -> Result<(), StoreError> {
        let writer = self.writer.ok_or_else(Failure::fenced)?;
        Ok(
            with_connection!(&self.pool, connection => entities::flush(connection, &self.statements, writer, batch))?,
        )
    }

    async fn watermarks(&self, incarnation: IncarnationId) -> Result<Vec<Watermark>, StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::watermarks(connection, incarnation))?)
    }

    async fn forget_incarnation(&self, incarnation: IncarnationId) -> Result<(), StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::forget_incarnation(connection, incarnation))?)
    }

    async fn shop_time(&self) -> Result<ShopTime, StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::shop_time(connection))?)
    }

    async fn carts_checking_out(&self) -> Result<Vec<CartId>, StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::carts_checking_out(connection))?)
    }

    async fn stocks_with_holds(&self) -> Result<Vec<Sku>, StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::stocks_with_holds(connection))?)
    }

    async fn secret(&self) -> Result<IdSecret, StoreError> {
        Ok(with_connection!(&self.pool, connection => entities::secret(connection))?)
    }
}

#[async_trait]
impl CatalogStore for PostgresStore {
    async fn load_catalog(&self) -> Result<(u64, Vec<Product>), StoreError> {
        Ok(with_connection!(&self.pool, connection => catalog::load(connection))?)
    }

    async fn put_product(
        &self,
        product: &Product,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<Written<Product>, StoreError> {
        Ok(
            with_connection!(&self.pool, connection => catalog::put(connection, product, expected, key.as_ref()))?,
        )
    }

    async fn put_products(&self, products: &[Product]) -> Result<Vec<Product>, StoreError> {
        Ok(with_connection!(&self.pool, connection => catalog::put_many(connection, products))?)
    }

    async fn delete_product(
        &self,
        id: &ProductId,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<Written<()>, StoreError> {
        Ok(
            with_connection!(&self.pool, connection => catalog::delete(connection, id, expected, key.as_ref()))?,
        )
    }
}

#[async_trait]
impl OrderStore for PostgresStore {
    async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        Ok(with_connection!(&self.pool, connection => orders::load(connection, id))?)
    }

    async fn orders(
        &self,
        user: Option<UserId>,
        before: Option<(Timestamp, OrderId)>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError> {
        Ok(with_connection!(&self.pool, connection => orders::page(connection, user, before, limit))?)
    }

    async fn transition_order(
        &self,
        next: &Order,
        key: Option<TableKey>,
    ) -> Result<Written<Order>, StoreError> {
        Ok(with_connection!(&self.pool, connection => orders::transition(connection, next, key.as_ref()))?)
    }

    async fn order_of_key(&self, key: TableKey) -> Result<Option<Order>, StoreError> {
        Ok(with_connection!(&self.pool, connection => orders::of_key(connection, &key))?)
    }

    async fn orders_to_restock(&self, limit: usize) -> Result<Vec<Order>, StoreError> {
        Ok(with_connection!(&self.pool, connection => orders::to_restock(connection, limit))?)
    }

    async fn mark_restocked(&self, id: OrderId) -> Result<(), StoreError> {
        Ok(with_connection!(&self.pool, connection => orders::mark_restocked(connection, id))?)
    }
}

#[async_trait]
impl UserStore for PostgresStore {
    async fn create_user(&self, user: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError> {
        Ok(with_connection!(&self.pool, connection => users::create(connection, user, key.as_ref()))?)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(with_connection!(&self.pool, connection => users::load(connection, id))?)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        Ok(with_connection!(&self.pool, connection => users::by_email(connection, email))?)
    }

    async fn update_user(&self, next: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError> {
        Ok(with_connection!(&self.pool, connection => users::update(connection, next, key.as_ref()))?)
    }

    async fn create_session(
        &self,
        session: &Session,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError> {
        Ok(with_connection!(&self.pool, connection => sessions::create(connection, session, key.as_ref()))?)
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(with_connection!(&self.pool, connection => sessions::load(connection, id))?)
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        generation: u64,
        expires_at: Timestamp,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError> {
        let key = key.as_ref();
        Ok(
            with_connection!(&self.pool, connection => sessions::rotate(connection, id, generation, expires_at, key))?,
        )
    }

    async fn revoke_session(&self, id: SessionId) -> Result<(), StoreError> {
        Ok(with_connection!(&self.pool, connection => sessions::revoke(connection, id))?)
    }

    async fn revoke_sessions_of(
        &self,
        user: UserId,
        but: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        Ok(with_connection!(&self.pool, connection => sessions::revoke_all_of(connection, user, but))?)
    }

    async fn revoked_sessions(&self, now: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        Ok(with_connection!(&self.pool, connection => sessions::revoked(connection, now))?)
    }

    async fn addresses(&self, user: UserId) -> Result<Vec<Address>, StoreError> {
        Ok(with_connection!(&self.pool, connection => addresses::of_user(connection, user))?)
    }

    async fn put_address(
        &self,
        next: &Address,
        key: Option<TableKey>,
    ) -> Result<Written<Address>, StoreError> {
        Ok(with_connection!(&self.pool, connection => addresses::put(connection, next, key.as_ref()))?)
    }

    async fn delete_address(
        &self,
        user: UserId,
        id: AddressId,
        key: Option<TableKey>,
    ) -> Result<Written<()>, StoreError> {
        Ok(with_connection!(&self.pool, connection => addresses::delete(connection, user, id, key.as_ref()))?)
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn audit(&self) -> Result<Vec<Finding>, StoreError> {
        // It takes as long as the shop is large; each of its statements has its own bound.
        let mut connection = self.pool.acquire().await.map_err(|error| crate::error::store_error(&error))?;
        Ok(audit::audit(&mut connection).await?)
    }
}
