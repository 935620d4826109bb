//! The store: each question takes a connection of the pool.

use async_trait::async_trait;
use smartcart_domain::{failure::Failure, id::IncarnationId};
use smartcart_engine::store::{Finding, Store, StoreError, TableBatch};
use sqlx::PgPool;

use super::{addresses, audit, catalog, entities, keys, orders, sessions, users};
use crate::{
    error::{not_connected, read_error},
    postgres::pooled_connection::with_connection,
    table_stores::implement_table_stores,
};

/// What changes nothing.
macro_rules! read {
    ($store:expr, $connection:ident => $work:expr) => {
        with_connection!(&$store.pool, $connection => $work).map_err(read_error)
    };
}

macro_rules! write {
    ($store:expr, $connection:ident => $work:expr) => {
        with_connection!(&$store.pool, $connection => $work).map_err(StoreError::from)
    };
}

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

    async fn write_batch(&self, batch: &TableBatch) -> Result<(), StoreError> {
        let writer = self.writer.ok_or_else(Failure::fenced)?;
        write!(self, connection => entities::flush(connection, &self.statements, writer, batch))
    }
}

implement_table_stores!(PostgresStore, read, write);

#[async_trait]
impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn audit(&self) -> Result<Vec<Finding>, StoreError> {
        // It takes as long as the shop is large; each of its statements has its own bound.
        let mut connection = self.pool.acquire().await.map_err(|error| not_connected(&error))?;
        audit::audit(&mut connection).await.map_err(read_error)
    }
}
