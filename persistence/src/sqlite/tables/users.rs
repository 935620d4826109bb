//! Accounts.

use smartcart_domain::{
    id::{SessionId, UserId},
    users::User,
};
use smartcart_engine::store::{Conflict, StoreError, TableKey, Written};
use sqlx::{Connection, SqliteConnection};

use super::{keys, sessions};
use crate::columns::{id_bytes, id_of, signed};
use crate::error::TableResult;
use crate::rows::{UserColumns, email_key};

pub(super) async fn load(connection: &mut SqliteConnection, id: UserId) -> TableResult<Option<User>> {
    let id = id_bytes(id.0);
    let row = sqlx::query_as!(
        UserColumns,
        "SELECT id, version, email, name, password_hash, created_at FROM app_user WHERE id = ?",
        id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

pub(super) async fn by_email(connection: &mut SqliteConnection, email: &str) -> TableResult<Option<User>> {
    let email = email_key(email);
    let row = sqlx::query_as!(
        UserColumns,
        "SELECT id, version, email, name, password_hash, created_at FROM app_user WHERE email_key = ?",
        email
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

/// Whether the address belongs to somebody else.
async fn email_is_taken(connection: &mut SqliteConnection, user: &User) -> TableResult<bool> {
    let (email, id) = (email_key(&user.email), id_bytes(user.id.0));
    let other = sqlx::query_scalar!("SELECT id FROM app_user WHERE email_key = ? AND id <> ?", email, id)
        .fetch_optional(connection)
        .await?;
    Ok(other.is_some())
}

pub(super) async fn create(
    connection: &mut SqliteConnection,
    new: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let value = load(&mut transaction, UserId(id_of(&subject)?)).await?.ok_or(StoreError::NotFound)?;
        return Ok(Written { value, replayed: true });
    }
    let (id, version, email_key) = (id_bytes(new.id.0), signed(new.version), email_key(&new.email));
    let created = sqlx::query!(
        "INSERT INTO app_user (id, version, email, email_key, name, password_hash, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (email_key) DO NOTHING",
        id,
        version,
        new.email,
        email_key,
        new.name,
        new.password_hash,
        new.created_at.0
    )
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
pub(super) async fn of_key(connection: &mut SqliteConnection, key: &TableKey) -> TableResult<Option<User>> {
    match keys::seen(connection, Some(key)).await? {
        Some(subject) => load(connection, UserId(id_of(&subject)?)).await,
        None => Ok(None),
    }
}

pub(super) async fn update(
    connection: &mut SqliteConnection,
    next: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let written = write_next(&mut transaction, next, key).await?;
    transaction.commit().await?;
    Ok(written)
}

pub(super) async fn change_password(
    connection: &mut SqliteConnection,
    next: &User,
    keep: Option<SessionId>,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let written = write_next(&mut transaction, next, key).await?;
    if !written.replayed {
        sessions::revoke_others(&mut transaction, next.id, keep).await?;
    }
    transaction.commit().await?;
    Ok(written)
}

/// In the transaction of whoever asks.
async fn write_next(
    connection: &mut SqliteConnection,
    next: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let stored = load(connection, next.id).await?.ok_or(StoreError::NotFound)?;
    if keys::seen(connection, key).await?.is_some() {
        return Ok(Written { value: stored, replayed: true });
    }
    if stored.version + 1 != next.version {
        return Err(StoreError::Stale { version: stored.version }.into());
    }
    if stored.says_the_same(next) {
        keys::remember(connection, key, &id_bytes(next.id.0)).await?;
        return Ok(Written { value: stored, replayed: false });
    }
    if email_is_taken(connection, next).await? {
        return Err(StoreError::from(Conflict::EmailTaken).into());
    }
    let (id, version, email_key) = (id_bytes(next.id.0), signed(next.version), email_key(&next.email));
    sqlx::query!(
        "UPDATE app_user SET version = ?, email = ?, email_key = ?, name = ?, password_hash = ? WHERE id = ?",
        version,
        next.email,
        email_key,
        next.name,
        next.password_hash,
        id
    )
    .execute(&mut *connection)
    .await?;
    keys::remember(connection, key, &id).await?;
    Ok(Written { value: next.clone(), replayed: false })
}
