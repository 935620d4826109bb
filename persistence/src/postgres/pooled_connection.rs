//! A pooled connection for one piece of work that ends in time. A connection whose state is not known, because its work
//! was given up or its answer was lost, is closed and not given back.

use std::{
    io::{Error, ErrorKind},
    ops::{Deref, DerefMut},
    time::Duration,
};

use smartcart_engine::store::StoreError;
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};

use crate::error::{TableError, TableResult, not_connected, postgres_refusal};

/// A little more than the database's own time-outs (`open.rs`), which give the better answer.
const LONGEST: Duration = Duration::from_secs(6);

pub(super) struct PooledConnection(Option<PoolConnection<Postgres>>);

impl PooledConnection {
    pub(super) async fn of(pool: &PgPool) -> Result<Self, StoreError> {
        pool.acquire().await.map(|connection| Self(Some(connection))).map_err(|error| not_connected(&error))
    }

    /// The connection goes back when its work left it in order.
    pub(super) fn give_back<T>(mut self, result: TableResult<T>) -> TableResult<T> {
        if !matches!(&result, Err(TableError::Sql(error)) if is_broken(error)) {
            drop(self.0.take());
        }
        result
    }
}

/// The connection, or what became of the last statement on it, is not known.
fn is_broken(error: &sqlx::Error) -> bool {
    postgres_refusal(error).is_none()
        && !matches!(
            error,
            sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
        )
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            // Without a word: the other side may not be there.
            drop(connection.detach());
        }
    }
}

const EMPTY: &str = "it holds the connection until it is dropped";

impl Deref for PooledConnection {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        self.0.as_deref().expect(EMPTY)
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_deref_mut().expect(EMPTY)
    }
}

pub(super) async fn within<T>(work: impl Future<Output = TableResult<T>>) -> TableResult<T> {
    tokio::time::timeout(LONGEST, work)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(Error::new(ErrorKind::TimedOut, "no answer in time")).into()))
}

/// Does one piece of work on a connection of a pool.
macro_rules! with_connection {
    ($pool:expr, $connection:ident => $work:expr) => {
        async {
            let mut pooled = $crate::postgres::pooled_connection::PooledConnection::of($pool).await?;
            let $connection: &mut sqlx::PgConnection = &mut pooled;
            let result = $crate::postgres::pooled_connection::within($work).await;
            pooled.give_back(result)
        }
        .await
    };
}
pub(super) use with_connection;
