//! Idempotency keys of changes to what lives in the tables alone, in the change's own transaction.

use smartcart_domain::{limits::KEY_RETENTION, time::Timestamp};
use smartcart_engine::store::{StoreError, TableKey};
use sqlx::PgConnection;

use crate::{
    columns::{id_bytes, signed, unsigned},
    error::TableResult,
};

/// Old keys that one write forgets at most.
const FORGOTTEN_PER_WRITE: i64 = 16;

#[expect(clippy::cast_possible_truncation, reason = "24 h in milliseconds")]
const fn forgotten_before(now: Timestamp) -> i64 {
    now.0.saturating_sub(KEY_RETENTION.as_millis() as i64)
}

/// What the answer was about, when the key has made its change before. Whoever comes with the same key at the same time
/// waits for the end of the transaction.
pub(super) async fn seen(
    connection: &mut PgConnection,
    key: Option<&TableKey>,
) -> TableResult<Option<Vec<u8>>> {
    let Some(TableKey { guard, .. }) = key else { return Ok(None) };
    let low = i32::from_be_bytes(guard.key.to_be_bytes()[12..].try_into().unwrap_or_default());
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(KEY_LOCKS)
        .bind(low)
        .execute(&mut *connection)
        .await?;
    known(connection, key).await
}

/// The class of the locks on keys. Fences have one number, keys have two: they never meet.
const KEY_LOCKS: i32 = 1;

/// The same without waiting, for reading.
pub(super) async fn known(
    connection: &mut PgConnection,
    key: Option<&TableKey>,
) -> TableResult<Option<Vec<u8>>> {
    let Some(TableKey { guard, now }) = key else { return Ok(None) };
    let found: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT request, subject FROM idempotency_key WHERE key = $1 AND at > $2")
            .bind(id_bytes(guard.key))
            .bind(forgotten_before(*now))
            .fetch_optional(connection)
            .await?;
    match found {
        Some((request, _)) if unsigned(request) != guard.request => Err(StoreError::KeyReused.into()),
        Some((_, subject)) => Ok(Some(subject)),
        None => Ok(None),
    }
}

pub(super) async fn has_made_its_change(connection: &mut PgConnection, key: &TableKey) -> TableResult<bool> {
    Ok(known(connection, Some(key)).await?.is_some())
}

/// Remembers the key with what is needed to answer again, and forgets some that are too old.
pub(super) async fn remember(
    connection: &mut PgConnection,
    key: Option<&TableKey>,
    subject: &[u8],
) -> TableResult<()> {
    let Some(TableKey { guard, now }) = key else { return Ok(()) };
    sqlx::query(
        "DELETE FROM idempotency_key WHERE key IN
             (SELECT key FROM idempotency_key WHERE at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind(forgotten_before(*now))
    .bind(FORGOTTEN_PER_WRITE)
    .execute(&mut *connection)
    .await?;
    // Only a key too old to count can be in the way.
    sqlx::query(
        "INSERT INTO idempotency_key (key, request, subject, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (key) DO UPDATE SET request = excluded.request, subject = excluded.subject, at = excluded.at",
    )
    .bind(id_bytes(guard.key))
    .bind(signed(guard.request))
    .bind(subject)
    .bind(now.0)
    .execute(connection)
    .await?;
    Ok(())
}
