//! Signed-in sessions.

use std::time::Duration;

use smartcart_domain::{
    id::{SessionId, UserId},
    time::Timestamp,
    users::Session,
};
use smartcart_engine::store::{StoreError, TableKey, Written};
use sqlx::{Connection, SqliteConnection};

use super::keys;
use crate::columns::{id_bytes, id_of, ids_of, signed};
use crate::error::TableResult;
use crate::rows::SessionColumns;

pub(super) async fn load(connection: &mut SqliteConnection, id: SessionId) -> TableResult<Option<Session>> {
    let id = id_bytes(id.0);
    let row = sqlx::query_as!(
        SessionColumns,
        r#"SELECT id, user, generation, created_at, expires_at, revoked AS "revoked: bool"
           FROM session WHERE id = ?"#,
        id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

pub(super) async fn create(
    connection: &mut SqliteConnection,
    new: &Session,
    key: Option<&TableKey>,
) -> TableResult<Written<Session>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let id = SessionId(id_of(&subject)?);
        let value = load(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
        return Ok(Written { value, replayed: true });
    }
    let (id, user, generation) = (id_bytes(new.id.0), id_bytes(new.user.0), signed(new.generation));
    // A shopper's sessions that nobody can use any more go when a new one comes.
    sqlx::query!("DELETE FROM session WHERE user = ? AND expires_at <= ?", user, new.created_at.0)
        .execute(&mut *transaction)
        .await?;
    sqlx::query!(
        "INSERT INTO session (id, user, generation, created_at, expires_at, revoked) VALUES (?, ?, ?, ?, ?, ?)",
        id,
        user,
        generation,
        new.created_at.0,
        new.expires_at.0,
        new.revoked
    )
    .execute(&mut *transaction)
    .await?;
    keys::remember(&mut transaction, key, &id).await?;
    transaction.commit().await?;
    Ok(Written { value: new.clone(), replayed: false })
}

pub(super) async fn rotate(
    connection: &mut SqliteConnection,
    id: SessionId,
    generation: u64,
    expires_at: Timestamp,
    grace: Duration,
    key: Option<&TableKey>,
) -> TableResult<Written<Session>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut stored = load(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        return Ok(Written { value: stored, replayed: true });
    }
    if stored.revoked {
        return Err(StoreError::NotFound.into());
    }
    if stored.was_rotated_just_before(generation, expires_at, grace) {
        keys::remember(&mut transaction, key, &id_bytes(id.0)).await?;
        transaction.commit().await?;
        return Ok(Written { value: stored, replayed: false });
    }
    if stored.generation != generation {
        return Err(StoreError::Stale { version: stored.generation }.into());
    }
    (stored.generation, stored.expires_at) = (generation + 1, expires_at);
    let (key_of, raised) = (id_bytes(id.0), signed(stored.generation));
    sqlx::query!(
        "UPDATE session SET generation = ?, expires_at = ? WHERE id = ?",
        raised,
        expires_at.0,
        key_of
    )
    .execute(&mut *transaction)
    .await?;
    keys::remember(&mut transaction, key, &key_of).await?;
    transaction.commit().await?;
    Ok(Written { value: stored, replayed: false })
}

pub(super) async fn revoke(
    connection: &mut SqliteConnection,
    id: SessionId,
    key: Option<&TableKey>,
) -> TableResult<Written<bool>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        return Ok(Written { value: true, replayed: true });
    }
    let id = id_bytes(id.0);
    let revoked = sqlx::query!("UPDATE session SET revoked = 1 WHERE id = ? AND revoked = 0", id)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    if revoked == 1 {
        keys::remember(&mut transaction, key, &id).await?;
        transaction.commit().await?;
    }
    Ok(Written { value: revoked == 1, replayed: false })
}

/// In the transaction of whatever ends them.
pub(super) async fn revoke_others(
    connection: &mut SqliteConnection,
    user: UserId,
    keep: Option<SessionId>,
) -> TableResult<()> {
    let (user, keep) = (id_bytes(user.0), keep.map(|id| id_bytes(id.0)));
    sqlx::query!("UPDATE session SET revoked = 1 WHERE user = ? AND revoked = 0 AND id IS NOT ?", user, keep)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn revoked_of(
    connection: &mut SqliteConnection,
    user: UserId,
) -> TableResult<Vec<SessionId>> {
    let user = id_bytes(user.0);
    let revoked = sqlx::query_scalar!("SELECT id FROM session WHERE user = ? AND revoked = 1", user)
        .fetch_all(connection)
        .await?;
    Ok(ids_of(&revoked, SessionId)?)
}

pub(super) async fn revoked(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> TableResult<Vec<SessionId>> {
    let revoked = sqlx::query_scalar!("SELECT id FROM session WHERE revoked = 1 AND expires_at > ?", now.0)
        .fetch_all(connection)
        .await?;
    Ok(ids_of(&revoked, SessionId)?)
}
