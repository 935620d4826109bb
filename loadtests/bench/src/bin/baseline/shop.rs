//! What the handlers of the baseline in PostgreSQL share, and the time.

use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::PgPool;

use crate::catalog::Catalog;

#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) pool: PgPool,
    pub(crate) catalog: Catalog,
}

#[expect(clippy::disallowed_methods, reason = "this server is no part of the engine, whose time tests move")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
