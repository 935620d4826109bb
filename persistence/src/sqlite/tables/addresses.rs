//! Shipping addresses of an account.

use smartcart_domain::{
    id::{AddressId, UserId},
    users::Address,
};
use smartcart_engine::store::{StoreError, TableKey, Written};
use sqlx::{Connection, SqliteConnection};

use super::keys;
use crate::columns::{id_bytes, id_of, signed, unsigned};
use crate::{
    error::TableResult,
    rows::{address_replayed, address_subject},
};

/// In the order in which they were entered.
pub(super) async fn of_user(connection: &mut SqliteConnection, user: UserId) -> TableResult<Vec<Address>> {
    let key = id_bytes(user.0);
    let rows = sqlx::query!("SELECT id, version, body FROM address WHERE user = ? ORDER BY rowid", key)
        .fetch_all(connection)
        .await?;
    let mut addresses = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, version) = (AddressId(id_of(&row.id)?), unsigned(row.version));
        addresses.push(Address { id, user, version, body: row.body });
    }
    Ok(addresses)
}

async fn find(
    connection: &mut SqliteConnection,
    user: UserId,
    id: AddressId,
) -> TableResult<Option<Address>> {
    let (user_key, key) = (id_bytes(user.0), id_bytes(id.0));
    let found = sqlx::query!("SELECT version, body FROM address WHERE user = ? AND id = ?", user_key, key)
        .fetch_optional(connection)
        .await?;
    Ok(found.map(|row| Address { id, user, version: unsigned(row.version), body: row.body }))
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    next: &Address,
    key: Option<&TableKey>,
) -> TableResult<Written<Address>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        return Ok(Written { value: address_replayed(next, &subject)?, replayed: true });
    }
    match find(&mut transaction, next.user, next.id).await? {
        None if next.version != 1 => return Err(StoreError::NotFound.into()),
        Some(Address { version, .. }) if version + 1 != next.version => {
            return Err(StoreError::Stale { version }.into());
        }
        // It says the same already.
        Some(stored) if stored.body == next.body => {
            keys::remember(&mut transaction, key, &address_subject(&stored)).await?;
            transaction.commit().await?;
            return Ok(Written { value: stored, replayed: false });
        }
        None | Some(_) => {}
    }
    let (user, id, version) = (id_bytes(next.user.0), id_bytes(next.id.0), signed(next.version));
    sqlx::query!(
        "INSERT INTO address (user, id, version, body) VALUES (?, ?, ?, ?)
         ON CONFLICT (user, id) DO UPDATE SET version = excluded.version, body = excluded.body",
        user,
        id,
        version,
        next.body
    )
    .execute(&mut *transaction)
    .await?;
    keys::remember(&mut transaction, key, &address_subject(next)).await?;
    transaction.commit().await?;
    Ok(Written { value: next.clone(), replayed: false })
}

pub(super) async fn delete(
    connection: &mut SqliteConnection,
    user: UserId,
    id: AddressId,
    key: Option<&TableKey>,
) -> TableResult<Written<()>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        return Ok(Written { value: (), replayed: true });
    }
    let (user, id) = (id_bytes(user.0), id_bytes(id.0));
    let deleted = sqlx::query!("DELETE FROM address WHERE user = ? AND id = ?", user, id)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    if deleted == 0 {
        return Err(StoreError::NotFound.into());
    }
    keys::remember(&mut transaction, key, &id).await?;
    transaction.commit().await?;
    Ok(Written { value: (), replayed: false })
}
