//! Shipping addresses of an account.

use smartcart_domain::{
    id::{AddressId, UserId},
    users::Address,
};
use smartcart_engine::store::{StoreError, TableKey, Written};
use sqlx::{Connection as _, PgConnection};

use super::keys;
use crate::{
    columns::{id_bytes, id_of, signed, unsigned},
    error::TableResult,
    rows::{address_replayed, address_subject},
};

/// In the order in which they were entered.
pub(super) async fn of_user(connection: &mut PgConnection, user: UserId) -> TableResult<Vec<Address>> {
    let rows: Vec<(Vec<u8>, i64, String)> =
        sqlx::query_as("SELECT id, version, body FROM address WHERE shopper = $1 ORDER BY place")
            .bind(id_bytes(user.0))
            .fetch_all(connection)
            .await?;
    let mut addresses = Vec::with_capacity(rows.len());
    for (id, version, body) in rows {
        addresses.push(Address { id: AddressId(id_of(&id)?), user, version: unsigned(version), body });
    }
    Ok(addresses)
}

pub(super) async fn put(
    connection: &mut PgConnection,
    next: &Address,
    key: Option<&TableKey>,
) -> TableResult<Written<Address>> {
    let (user, id) = (id_bytes(next.user.0), id_bytes(next.id.0));
    let mut transaction = connection.begin().await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        return Ok(Written { value: address_replayed(next, &subject)?, replayed: true });
    }
    let stored: Option<(i64, String)> =
        sqlx::query_as("SELECT version, body FROM address WHERE shopper = $1 AND id = $2 FOR UPDATE")
            .bind(&user)
            .bind(&id)
            .fetch_optional(&mut *transaction)
            .await?;
    match stored.map(|(version, body)| Address { version: unsigned(version), body, ..next.clone() }) {
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
    sqlx::query(
        "INSERT INTO address (shopper, id, version, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT (shopper, id) DO UPDATE SET version = excluded.version, body = excluded.body",
    )
    .bind(&user)
    .bind(&id)
    .bind(signed(next.version))
    .bind(&next.body)
    .execute(&mut *transaction)
    .await?;
    keys::remember(&mut transaction, key, &address_subject(next)).await?;
    transaction.commit().await?;
    Ok(Written { value: next.clone(), replayed: false })
}

pub(super) async fn delete(
    connection: &mut PgConnection,
    user: UserId,
    id: AddressId,
    key: Option<&TableKey>,
) -> TableResult<Written<()>> {
    let (user, id) = (id_bytes(user.0), id_bytes(id.0));
    let mut transaction = connection.begin().await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        return Ok(Written { value: (), replayed: true });
    }
    let deleted = sqlx::query("DELETE FROM address WHERE shopper = $1 AND id = $2")
        .bind(&user)
        .bind(&id)
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
