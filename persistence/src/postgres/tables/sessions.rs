//! Signed-in sessions.

use std::time::Duration;

use smartcart_domain::{
    id::{SessionId, UserId},
    time::Timestamp,
    users::Session,
};
use smartcart_engine::store::{StoreError, TableKey, Written};
use sqlx::{Connection as _, PgConnection};

use super::keys;
use crate::{
    columns::{id_bytes, id_of, ids_of, signed},
    error::TableResult,
    postgres::notifications::notify,
    rows::SessionColumns,
};

pub(super) async fn load(connection: &mut PgConnection, id: SessionId) -> TableResult<Option<Session>> {
    let row: Option<SessionColumns> = sqlx::query_as(
        r#"SELECT id, shopper AS "user", generation, created_at, expires_at, revoked FROM session WHERE id = $1"#,
    )
    .bind(id_bytes(id.0))
    .fetch_optional(connection)
    .await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

pub(super) async fn create(
    connection: &mut PgConnection,
    new: &Session,
    key: Option<&TableKey>,
) -> TableResult<Written<Session>> {
    let mut transaction = connection.begin().await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let id = SessionId(id_of(&subject)?);
        let value = load(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
        return Ok(Written { value, replayed: true });
    }
    let (id, user) = (id_bytes(new.id.0), id_bytes(new.user.0));
    // A shopper's sessions that nobody can use any more go when a new one comes.
    sqlx::query(
        "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE shopper = $1 AND expires_at <= $2
             FOR UPDATE SKIP LOCKED)",
    )
    .bind(&user)
    .bind(new.created_at.0)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO session (id, shopper, generation, created_at, expires_at, revoked)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&id)
    .bind(&user)
    .bind(signed(new.generation))
    .bind(new.created_at.0)
    .bind(new.expires_at.0)
    .bind(new.revoked)
    .execute(&mut *transaction)
    .await?;
    keys::remember(&mut transaction, key, &id).await?;
    transaction.commit().await?;
    Ok(Written { value: new.clone(), replayed: false })
}

pub(super) async fn rotate(
    connection: &mut PgConnection,
    id: SessionId,
    generation: u64,
    expires_at: Timestamp,
    grace: Duration,
    key: Option<&TableKey>,
) -> TableResult<Written<Session>> {
    let row_id = id_bytes(id.0);
    let mut transaction = connection.begin().await?;
    let replayed = keys::seen(&mut transaction, key).await?.is_some();
    sqlx::query("SELECT 1 FROM session WHERE id = $1 FOR UPDATE")
        .bind(&row_id)
        .execute(&mut *transaction)
        .await?;
    let mut stored = load(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
    if replayed {
        return Ok(Written { value: stored, replayed });
    }
    if stored.revoked {
        return Err(StoreError::NotFound.into());
    }
    if stored.was_rotated_just_before(generation, expires_at, grace) {
        keys::remember(&mut transaction, key, &row_id).await?;
        transaction.commit().await?;
        return Ok(Written { value: stored, replayed: false });
    }
    if stored.generation != generation {
        return Err(StoreError::Stale { version: stored.generation }.into());
    }
    (stored.generation, stored.expires_at) = (generation + 1, expires_at);
    sqlx::query("UPDATE session SET generation = $2, expires_at = $3 WHERE id = $1")
        .bind(&row_id)
        .bind(signed(stored.generation))
        .bind(expires_at.0)
        .execute(&mut *transaction)
        .await?;
    keys::remember(&mut transaction, key, &row_id).await?;
    transaction.commit().await?;
    Ok(Written { value: stored, replayed: false })
}

pub(super) async fn revoke(
    connection: &mut PgConnection,
    id: SessionId,
    key: Option<&TableKey>,
) -> TableResult<Written<bool>> {
    let mut transaction = connection.begin().await?;
    let replayed = keys::seen(&mut transaction, key).await?.is_some();
    let mut value = replayed;
    if !replayed {
        let id = id_bytes(id.0);
        let revoked = sqlx::query("UPDATE session SET revoked = TRUE WHERE id = $1 AND NOT revoked")
            .bind(&id)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        value = revoked == 1;
        if value {
            keys::remember(&mut transaction, key, &id).await?;
        }
    }
    notify(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Written { value, replayed })
}

/// In the transaction of whatever ends them.
pub(super) async fn revoke_others(
    connection: &mut PgConnection,
    user: UserId,
    keep: Option<SessionId>,
) -> TableResult<()> {
    sqlx::query(
        "UPDATE session SET revoked = TRUE WHERE shopper = $1 AND NOT revoked AND id IS DISTINCT FROM $2",
    )
    .bind(id_bytes(user.0))
    .bind(keep.map(|id| id_bytes(id.0)))
    .execute(&mut *connection)
    .await?;
    notify(connection).await
}

pub(super) async fn revoked_of(connection: &mut PgConnection, user: UserId) -> TableResult<Vec<SessionId>> {
    let revoked: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM session WHERE shopper = $1 AND revoked")
        .bind(id_bytes(user.0))
        .fetch_all(connection)
        .await?;
    Ok(ids_of(&revoked, SessionId)?)
}

pub(super) async fn revoked(connection: &mut PgConnection, now: Timestamp) -> TableResult<Vec<SessionId>> {
    let revoked: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT id FROM session WHERE revoked AND expires_at > $1")
            .bind(now.0)
            .fetch_all(connection)
            .await?;
    Ok(ids_of(&revoked, SessionId)?)
}
