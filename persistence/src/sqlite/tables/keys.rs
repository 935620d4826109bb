//! Idempotency keys of changes to what lives in the tables alone, in the change's own transaction.

use smartcart_domain::{limits::KEY_RETENTION, time::Timestamp};
use smartcart_engine::store::{StoreError, TableKey};
use sqlx::SqliteConnection;

use crate::columns::{id_bytes, signed, unsigned};
use crate::error::TableResult;

/// Old keys that one write forgets at most.
const FORGOTTEN_PER_WRITE: i64 = 16;

#[expect(clippy::cast_possible_truncation, reason = "24 h in milliseconds")]
const fn forgotten_before(now: Timestamp) -> i64 {
    now.0.saturating_sub(KEY_RETENTION.as_millis() as i64)
}

/// What the answer was about, when the key has made its change before.
pub(super) async fn seen(
    connection: &mut SqliteConnection,
    key: Option<&TableKey>,
) -> TableResult<Option<Vec<u8>>> {
    let Some(TableKey { guard, now }) = key else { return Ok(None) };
    let (id, alive) = (id_bytes(guard.key), forgotten_before(*now));
    let found =
        sqlx::query!("SELECT request, subject FROM idempotency_key WHERE key = ? AND at > ?", id, alive)
            .fetch_optional(connection)
            .await?;
    match found {
        Some(row) if unsigned(row.request) != guard.request => Err(StoreError::KeyReused.into()),
        Some(row) => Ok(Some(row.subject)),
        None => Ok(None),
    }
}

pub(super) async fn has_made_its_change(
    connection: &mut SqliteConnection,
    key: &TableKey,
) -> TableResult<bool> {
    Ok(seen(connection, Some(key)).await?.is_some())
}

/// Remembers the key with what is needed to answer again, and forgets some that are too old.
pub(super) async fn remember(
    connection: &mut SqliteConnection,
    key: Option<&TableKey>,
    subject: &[u8],
) -> TableResult<()> {
    let Some(TableKey { guard, now }) = key else { return Ok(()) };
    let (id, request, old) = (id_bytes(guard.key), signed(guard.request), forgotten_before(*now));
    sqlx::query!(
        "DELETE FROM idempotency_key WHERE key IN (SELECT key FROM idempotency_key WHERE at <= ? LIMIT ?)",
        old,
        FORGOTTEN_PER_WRITE
    )
    .execute(&mut *connection)
    .await?;
    // Only a key too old to count can be in the way.
    sqlx::query!(
        "INSERT INTO idempotency_key (key, request, subject, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET request = excluded.request, subject = excluded.subject, at = excluded.at",
        id,
        request,
        subject,
        now.0
    )
    .execute(connection)
    .await?;
    Ok(())
}
