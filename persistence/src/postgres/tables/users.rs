//! Accounts.

use smartcart_domain::{
    id::{SessionId, UserId},
    users::User,
};
use smartcart_engine::store::{Conflict, StoreError, TableKey, Written};
use sqlx::{Connection as _, PgConnection};

use super::{keys, sessions};
use crate::{
    columns::{id_bytes, id_of, signed},
    error::TableResult,
    rows::{UserColumns, email_key},
};

pub(super) async fn load(connection: &mut PgConnection, id: UserId) -> TableResult<Option<User>> {
    let row: Option<UserColumns> = sqlx::query_as(
        "SELECT id, version, email, name, password_hash, created_at FROM app_user WHERE id = $1",
    )
    .bind(id_bytes(id.0))
    .fetch_optional(connection)
    .await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

pub(super) async fn by_email(connection: &mut PgConnection, email: &str) -> TableResult<Option<User>> {
    let row: Option<UserColumns> = sqlx::query_as(
        "SELECT id, version, email, name, password_hash, created_at FROM app_user WHERE email_key = $1",
    )
    .bind(email_key(email))
    .fetch_optional(connection)
    .await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

pub(super) async fn create(
    connection: &mut PgConnection,
    new: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin().await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let value = load(&mut transaction, UserId(id_of(&subject)?)).await?.ok_or(StoreError::NotFound)?;
        return Ok(Written { value, replayed: true });
    }
    let id = id_bytes(new.id.0);
    let created = sqlx::query(
        "INSERT INTO app_user (id, version, email, email_key, name, password_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (email_key) DO NOTHING",
    )
    .bind(&id)
    .bind(signed(new.version))
    .bind(&new.email)
    .bind(email_key(&new.email))
    .bind(&new.name)
    .bind(&new.password_hash)
    .bind(new.created_at.0)
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if created == 0 {
        return Err(StoreError::from(Conflict::EmailTaken).into());
    }
    keys::remember(&mut transaction, key, &id).await?;
    transaction.commit().await?;
    Ok(Written { value: new.clone(), replayed: false })
}

/// The account that a key has changed.
pub(super) async fn of_key(connection: &mut PgConnection, key: &TableKey) -> TableResult<Option<User>> {
    match keys::known(connection, Some(key)).await? {
        Some(subject) => load(connection, UserId(id_of(&subject)?)).await,
        None => Ok(None),
    }
}

pub(super) async fn update(
    connection: &mut PgConnection,
    next: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin().await?;
    let written = write_next(&mut transaction, next, key).await?;
    transaction.commit().await?;
    Ok(written)
}

pub(super) async fn change_password(
    connection: &mut PgConnection,
    next: &User,
    keep: Option<SessionId>,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin().await?;
    let written = write_next(&mut transaction, next, key).await?;
    if !written.replayed {
        sessions::revoke_others(&mut transaction, next.id, keep).await?;
    }
    transaction.commit().await?;
    Ok(written)
}

/// In the transaction of whoever asks.
async fn write_next(
    connection: &mut PgConnection,
    next: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let id = id_bytes(next.id.0);
    let replayed = keys::seen(connection, key).await?.is_some();
    sqlx::query("SELECT 1 FROM app_user WHERE id = $1 FOR UPDATE")
        .bind(&id)
        .execute(&mut *connection)
        .await?;
    let stored = load(connection, next.id).await?.ok_or(StoreError::NotFound)?;
    if replayed {
        return Ok(Written { value: stored, replayed });
    }
    if stored.version + 1 != next.version {
        return Err(StoreError::Stale { version: stored.version }.into());
    }
    if stored.says_the_same(next) {
        keys::remember(connection, key, &id).await?;
        return Ok(Written { value: stored, replayed: false });
    }
    // A concurrent request for the same address is seen too: the index waits for it.
    let updated = sqlx::query(
        "UPDATE app_user SET version = $2, email = $3, email_key = $4, name = $5, password_hash = $6 WHERE id = $1",
    )
    .bind(&id)
    .bind(signed(next.version))
    .bind(&next.email)
    .bind(email_key(&next.email))
    .bind(&next.name)
    .bind(&next.password_hash)
    .execute(&mut *connection)
    .await;
    if let Err(sqlx::Error::Database(refused)) = &updated
        && refused.is_unique_violation()
    {
        return Err(StoreError::from(Conflict::EmailTaken).into());
    }
    updated?;
    keys::remember(connection, key, &id).await?;
    Ok(Written { value: next.clone(), replayed: false })
}
