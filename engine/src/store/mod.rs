//! The tables: the system of record that SQL reads. One suite serves every implementation.

mod batch;

use std::time::Duration;

use async_trait::async_trait;

pub use batch::{IndexedColumns, Row, TableBatch};
use smartcart_domain::{
    catalog::Product,
    change::Change,
    entry::Watermark,
    failure::Failure,
    id::{AddressId, CartId, IdSecret, IncarnationId, OrderId, ProductId, SessionId, Sku, UserId},
    idempotency::KeyFingerprint,
    orders::Order,
    snapshot::{CartSnapshot, StockSnapshot},
    time::{ShopTime, Timestamp},
    users::{Address, Session, User},
};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Of a read always `NotApplied`. `Fenced`: the writer's incarnation was declared dead.
    #[error("the store failed: {0}")]
    Failed(#[from] Failure),
    /// The tables take no more changes. The failure says what became of this one.
    #[error("the tables cannot be written: {0}")]
    Unwritable(Failure),
    #[error("the store holds what this version cannot read: {0}")]
    Corrupt(String),
    #[error("there is no such row")]
    NotFound,
    /// The row is at another version than the caller believed.
    #[error("the row is at version {version}")]
    Stale { version: u64 },
    /// The idempotency key was used with another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

impl StoreError {
    /// As a failure of the whole, one of whose steps had been done before this one failed.
    #[must_use]
    pub fn of_later_step(self) -> Self {
        match self {
            Self::Failed(failure) => failure.of_later_step().into(),
            other => other,
        }
    }
}

/// A constraint of the tables, by its meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error("an account with this e-mail address exists")]
    EmailTaken,
    #[error("SKU {sku} belongs to product {product}")]
    SkuTaken { sku: Sku, product: ProductId },
    /// The second line of defence of stock and orders was hit: a defect, never a client's fault.
    #[error("the tables refuse the state: {0}")]
    Invariant(String),
}

/// A change of the tables' own resources and whether its key had made it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    pub value: T,
    pub replayed: bool,
}

/// The same for a change of the catalogue, with the generation that the tables are at: after a change its own, after a replay
/// whatever it is by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogWritten<T> {
    pub value: T,
    pub replayed: bool,
    pub generation: u64,
}

/// What became of an import's products, in their order, and the generation that the tables are at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub rows: Vec<ImportedRow>,
    pub generation: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedRow {
    Written(Product),
    /// The tables said the same already: its version stays.
    Unchanged,
    Refused(Conflict),
}

/// A snapshot and the changes after it, in order of their versions.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    pub snapshot: T,
    pub tail: Vec<Change>,
}

/// A cancelled order whose units go back on their shelves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRestock {
    pub order: Order,
    /// When its turn came.
    pub at: ShopTime,
    /// Attempts that failed.
    pub tries: u32,
    /// All are back: what is left is to forget it.
    pub units_returned: bool,
}

/// A key for a change of the tables' own resources, remembered in the same transaction until `now` + 24 h (wall time).
#[derive(Debug, Clone, Copy)]
pub struct TableKey {
    pub guard: KeyFingerprint,
    pub now: Timestamp,
}

/// Carts and stock, written behind the journal.
#[async_trait]
pub trait EntityStore: Send + Sync + 'static {
    async fn load_cart(&self, id: CartId) -> Result<Option<Stored<CartSnapshot>>, StoreError>;
    async fn load_stock(&self, sku: &Sku) -> Result<Option<Stored<StockSnapshot>>, StoreError>;
    /// One transaction.
    async fn flush(&self, batch: &TableBatch) -> Result<(), StoreError>;
    async fn watermarks(&self, incarnation: IncarnationId) -> Result<Vec<Watermark>, StoreError>;
    /// Forgets a finished incarnation's watermarks.
    async fn forget_incarnation(&self, incarnation: IncarnationId) -> Result<(), StoreError>;
    /// The last durable shop time that the tables know.
    async fn shop_time(&self) -> Result<ShopTime, StoreError>;
    /// Carts with a checkout that is not settled.
    async fn carts_checking_out(&self) -> Result<Vec<CartId>, StoreError>;
    /// SKUs with a hold.
    async fn stocks_with_holds(&self) -> Result<Vec<Sku>, StoreError>;
    /// The shop's secret for deriving ids and signing tokens; made on first use.
    async fn secret(&self) -> Result<IdSecret, StoreError>;
}

#[async_trait]
pub trait CatalogStore: Send + Sync + 'static {
    /// The generation and every product.
    async fn load_catalog(&self) -> Result<(u64, Vec<Product>), StoreError>;
    /// Writes a product. `expected` is the version the caller believes it at (0: it must not exist); the version written
    /// is the next one, whatever `product.version` says, also after the last one of a product that was deleted. Raises the
    /// generation. What says the same as before keeps version and generation.
    async fn put_product(
        &self,
        product: &Product,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<CatalogWritten<Product>, StoreError>;
    /// Writes many, each of them another, in one transaction. A SKU may move between them; those that want another's are refused,
    /// which keeps none of the others from being written. Raises the generation once, if any of them changes.
    async fn put_products(&self, products: &[Product]) -> Result<Imported, StoreError>;
    async fn delete_product(
        &self,
        id: &ProductId,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<CatalogWritten<()>, StoreError>;
}

#[async_trait]
pub trait OrderStore: Send + Sync + 'static {
    async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError>;
    /// Newest first; a shopper's, or everybody's. `before` is the last one of the page before.
    async fn orders(
        &self,
        user: Option<UserId>,
        before: Option<(Timestamp, OrderId)>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError>;
    /// Writes the next version of an order (`next.version - 1` must be the stored one). A cancelled order is marked to be restocked.
    async fn transition_order(
        &self,
        next: &Order,
        key: Option<TableKey>,
    ) -> Result<Written<Order>, StoreError>;
    /// The order, as it is now, whose transition this key made; `KeyReused` when it made another.
    async fn order_of_key(&self, key: TableKey) -> Result<Option<Order>, StoreError>;
    /// Cancelled orders that are not restocked and whose turn has come, in the order of their turns and ids. `after` is the
    /// last one of the page before.
    async fn orders_to_restock(
        &self,
        now: ShopTime,
        after: Option<(ShopTime, OrderId)>,
        limit: usize,
    ) -> Result<Vec<DueRestock>, StoreError>;
    /// An attempt failed: the order's next turn.
    async fn postpone_restock(&self, id: OrderId, until: ShopTime) -> Result<(), StoreError>;
    /// All units of the order are back on their shelves.
    async fn mark_units_returned(&self, id: OrderId) -> Result<(), StoreError>;
    /// Nothing is left to do for the order.
    async fn mark_restocked(&self, id: OrderId) -> Result<(), StoreError>;
}

#[async_trait]
pub trait UserStore: Send + Sync + 'static {
    /// Replayed with the same key: the account as it is now.
    async fn create_user(&self, user: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError>;
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// Without regard to case.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;
    /// The account, as it is now, that this key has changed; `KeyReused` when it made another change.
    async fn user_of_key(&self, key: TableKey) -> Result<Option<User>, StoreError>;
    /// Writes the next version (`next.version - 1` must be the stored one). What says the same as before keeps its version.
    async fn update_user(&self, next: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError>;
    /// The same, and in the same transaction ends the shopper's sessions but one, and tells the other pods. A replay ends none: those
    /// that began later know the new password.
    async fn change_password(
        &self,
        next: &User,
        keep: Option<SessionId>,
        key: Option<TableKey>,
    ) -> Result<Written<User>, StoreError>;

    /// Replayed with the same key: the session that was created then.
    async fn create_session(
        &self,
        session: &Session,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError>;
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;
    /// Raises the generation when it is `generation`, else `Stale`: but whoever comes with the generation before, within
    /// `grace` of its end, gets the session as it is. Replayed with the same key: the session as it is now.
    async fn rotate_session(
        &self,
        id: SessionId,
        generation: u64,
        expires_at: Timestamp,
        grace: Duration,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError>;
    /// Ends a session, and tells the other pods, also when it is not the first time. Whether it was open until now, or until this
    /// key ended it, which is remembered only then.
    async fn revoke_session(&self, id: SessionId, key: Option<TableKey>)
    -> Result<Written<bool>, StoreError>;
    /// A shopper's sessions that were ended before their time.
    async fn revoked_sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError>;
    /// Revoked sessions that have not expired: their access tokens must be refused.
    async fn revoked_sessions(&self, now: Timestamp) -> Result<Vec<SessionId>, StoreError>;

    async fn addresses(&self, user: UserId) -> Result<Vec<Address>, StoreError>;
    /// Creates (version 1 and no such row) or writes the next version. What says the same as before keeps its version.
    async fn put_address(
        &self,
        next: &Address,
        key: Option<TableKey>,
    ) -> Result<Written<Address>, StoreError>;
    async fn delete_address(
        &self,
        user: UserId,
        id: AddressId,
        key: Option<TableKey>,
    ) -> Result<Written<()>, StoreError>;
}

/// Something in the tables that must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `stock 85123A`, `order ...`.
    pub subject: String,
    pub what: String,
}

/// Everything the tables do.
#[async_trait]
pub trait Store: EntityStore + CatalogStore + OrderStore + UserStore {
    /// For logs and status: `sqlite`, `postgres`.
    fn name(&self) -> &'static str;

    /// Looks through all tables for what must never be: stock sums, an order for each placed checkout and one only,
    /// versions without gaps, totals that add up. Nothing found: an empty list.
    async fn audit(&self) -> Result<Vec<Finding>, StoreError>;
}
