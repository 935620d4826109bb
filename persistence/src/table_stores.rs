//! What the stores of all databases share: which statement answers which question, and whether that reads or writes.

/// Implements the store's traits, but for `Store` itself, over functions that stand in the same modules for every database:
/// `catalog::put(connection, ..)` and so on. `$read` and `$write` are the database's macros that do such a piece of work on a
/// connection; `write_batch` is a method of its own.
macro_rules! implement_table_stores {
    ($Store:ty, $read:ident, $write:ident) => {
        const _: () = {
            use std::time::Duration;

            use async_trait::async_trait;
            use smartcart_domain::{
                catalog::Product,
                entry::Watermark,
                id::{
                    AddressId, CartId, IdSecret, IncarnationId, OrderId, ProductId, SessionId, Sku, UserId,
                },
                orders::Order,
                snapshot::{CartSnapshot, StockSnapshot},
                time::{ShopTime, Timestamp},
                users::{Address, Session, User},
            };
            use smartcart_engine::store::{
                CatalogStore, CatalogWritten, DueRestock, EntityStore, Imported, OrderStore, StoreError,
                Stored, TableBatch, TableKey, UserStore, Written,
            };

            #[async_trait]
            impl EntityStore for $Store {
                async fn load_cart(&self, id: CartId) -> Result<Option<Stored<CartSnapshot>>, StoreError> {
                    $read!(self, connection => entities::load_cart(connection, id))
                }

                async fn load_stock(&self, sku: &Sku) -> Result<Option<Stored<StockSnapshot>>, StoreError> {
                    $read!(self, connection => entities::load_stock(connection, sku))
                }

                async fn flush(&self, batch: &TableBatch) -> Result<(), StoreError> {
                    self.write_batch(batch).await
                }

                async fn watermarks(&self, incarnation: IncarnationId) -> Result<Vec<Watermark>, StoreError> {
                    $read!(self, connection => entities::watermarks(connection, incarnation))
                }

                async fn forget_incarnation(&self, incarnation: IncarnationId) -> Result<(), StoreError> {
                    $write!(self, connection => entities::forget_incarnation(connection, incarnation))
                }

                async fn shop_time(&self) -> Result<ShopTime, StoreError> {
                    $read!(self, connection => entities::shop_time(connection))
                }

                async fn carts_checking_out(&self) -> Result<Vec<CartId>, StoreError> {
                    $read!(self, connection => entities::carts_checking_out(connection))
                }

                async fn stocks_with_holds(&self) -> Result<Vec<Sku>, StoreError> {
                    $read!(self, connection => entities::stocks_with_holds(connection))
                }

                async fn secret(&self) -> Result<IdSecret, StoreError> {
                    $write!(self, connection => entities::secret(connection))
                }
            }

            #[async_trait]
            impl CatalogStore for $Store {
                async fn load_catalog(&self) -> Result<(u64, Vec<Product>), StoreError> {
                    $read!(self, connection => catalog::load(connection))
                }

                async fn put_product(
                    &self,
                    product: &Product,
                    expected: Option<u64>,
                    key: Option<TableKey>,
                ) -> Result<CatalogWritten<Product>, StoreError> {
                    $write!(self, connection => catalog::put(connection, product, expected, key.as_ref()))
                }

                async fn put_products(&self, products: &[Product]) -> Result<Imported, StoreError> {
                    $write!(self, connection => catalog::put_many(connection, products))
                }

                async fn delete_product(
                    &self,
                    id: &ProductId,
                    expected: Option<u64>,
                    key: Option<TableKey>,
                ) -> Result<CatalogWritten<()>, StoreError> {
                    $write!(self, connection => catalog::delete(connection, id, expected, key.as_ref()))
                }
            }

            #[async_trait]
            impl OrderStore for $Store {
                async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
                    $read!(self, connection => orders::load(connection, id))
                }

                async fn orders(
                    &self,
                    user: Option<UserId>,
                    before: Option<(Timestamp, OrderId)>,
                    limit: usize,
                ) -> Result<Vec<Order>, StoreError> {
                    $read!(self, connection => orders::page(connection, user, before, limit))
                }

                async fn transition_order(
                    &self,
                    next: &Order,
                    key: Option<TableKey>,
                ) -> Result<Written<Order>, StoreError> {
                    $write!(self, connection => orders::transition(connection, next, key.as_ref()))
                }

                async fn order_of_key(&self, key: TableKey) -> Result<Option<Order>, StoreError> {
                    $read!(self, connection => orders::of_key(connection, &key))
                }

                async fn orders_to_restock(
                    &self,
                    now: ShopTime,
                    after: Option<(ShopTime, OrderId)>,
                    limit: usize,
                ) -> Result<Vec<DueRestock>, StoreError> {
                    $read!(self, connection => orders::to_restock(connection, now, after, limit))
                }

                async fn postpone_restock(&self, id: OrderId, until: ShopTime) -> Result<(), StoreError> {
                    $write!(self, connection => orders::postpone_restock(connection, id, until))
                }

                async fn mark_units_returned(&self, id: OrderId) -> Result<(), StoreError> {
                    $write!(self, connection => orders::mark_units_returned(connection, id))
                }

                async fn mark_restocked(&self, id: OrderId) -> Result<(), StoreError> {
                    $write!(self, connection => orders::mark_restocked(connection, id))
                }
            }

            #[async_trait]
            impl UserStore for $Store {
                async fn create_user(
                    &self,
                    user: &User,
                    key: Option<TableKey>,
                ) -> Result<Written<User>, StoreError> {
                    $write!(self, connection => users::create(connection, user, key.as_ref()))
                }

                async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
                    $read!(self, connection => users::load(connection, id))
                }

                async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
                    $read!(self, connection => users::by_email(connection, email))
                }

                async fn user_of_key(&self, key: TableKey) -> Result<Option<User>, StoreError> {
                    $read!(self, connection => users::of_key(connection, &key))
                }

                async fn update_user(
                    &self,
                    next: &User,
                    key: Option<TableKey>,
                ) -> Result<Written<User>, StoreError> {
                    $write!(self, connection => users::update(connection, next, key.as_ref()))
                }

                async fn change_password(
                    &self,
                    next: &User,
                    keep: Option<SessionId>,
                    key: Option<TableKey>,
                ) -> Result<Written<User>, StoreError> {
                    let key = key.as_ref();
                    $write!(self, connection => users::change_password(connection, next, keep, key))
                }

                async fn create_session(
                    &self,
                    session: &Session,
                    key: Option<TableKey>,
                ) -> Result<Written<Session>, StoreError> {
                    $write!(self, connection => sessions::create(connection, session, key.as_ref()))
                }

                async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
                    $read!(self, connection => sessions::load(connection, id))
                }

                async fn rotate_session(
                    &self,
                    id: SessionId,
                    generation: u64,
                    expires_at: Timestamp,
                    grace: Duration,
                    key: Option<TableKey>,
                ) -> Result<Written<Session>, StoreError> {
                    let key = key.as_ref();
                    $write!(self, connection => sessions::rotate(connection, id, generation, expires_at, grace, key))
                }

                async fn revoke_session(
                    &self,
                    id: SessionId,
                    key: Option<TableKey>,
                ) -> Result<Written<bool>, StoreError> {
                    $write!(self, connection => sessions::revoke(connection, id, key.as_ref()))
                }

                async fn revoked_sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError> {
                    $read!(self, connection => sessions::revoked_of(connection, user))
                }

                async fn revoked_sessions(&self, now: Timestamp) -> Result<Vec<SessionId>, StoreError> {
                    $read!(self, connection => sessions::revoked(connection, now))
                }

                async fn addresses(&self, user: UserId) -> Result<Vec<Address>, StoreError> {
                    $read!(self, connection => addresses::of_user(connection, user))
                }

                async fn put_address(
                    &self,
                    next: &Address,
                    key: Option<TableKey>,
                ) -> Result<Written<Address>, StoreError> {
                    $write!(self, connection => addresses::put(connection, next, key.as_ref()))
                }

                async fn delete_address(
                    &self,
                    user: UserId,
                    id: AddressId,
                    key: Option<TableKey>,
                ) -> Result<Written<()>, StoreError> {
                    $write!(self, connection => addresses::delete(connection, user, id, key.as_ref()))
                }
            }
        };
    };
}
pub(crate) use implement_table_stores;
