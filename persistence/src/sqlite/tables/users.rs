//! Accounts, sessions and addresses.

use smartcart_engine::{
    id::{AddressId, SessionId, UserId},
    store::{Conflict, StoreError, TableKey, Written},
    time::Timestamp,
    users::{Address, Session, User},
};
use sqlx::{Connection, SqliteConnection};

use super::{
    TableResult,
    entities::{ids, invariant},
    keys,
};
use crate::sqlite::columns::{id_bytes, id_of, signed, unsigned};

struct UserColumns {
    id: Vec<u8>,
    version: i64,
    email: String,
    name: String,
    password_hash: String,
    created_at: i64,
}

impl TryFrom<UserColumns> for User {
    type Error = StoreError;
    fn try_from(row: UserColumns) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId(id_of(&row.id)?),
            version: unsigned(row.version),
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
            created_at: Timestamp(row.created_at),
        })
    }
}

/// Addresses are the same without regard to case.
fn email_key(email: &str) -> String {
    email.to_lowercase()
}

pub(super) async fn user(connection: &mut SqliteConnection, id: UserId) -> TableResult<Option<User>> {
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

pub(super) async fn user_by_email(
    connection: &mut SqliteConnection,
    email: &str,
) -> TableResult<Option<User>> {
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

pub(super) async fn create_user(
    connection: &mut SqliteConnection,
    new: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let value = user(&mut transaction, UserId(id_of(&subject)?)).await?.ok_or(StoreError::NotFound)?;
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

pub(super) async fn update_user(
    connection: &mut SqliteConnection,
    next: &User,
    key: Option<&TableKey>,
) -> TableResult<Written<User>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let stored = user(&mut transaction, next.id).await?.ok_or(StoreError::NotFound)?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        return Ok(Written { value: stored, replayed: true });
    }
    if stored.version + 1 != next.version {
        return Err(StoreError::Stale { version: stored.version }.into());
    }
    if email_is_taken(&mut transaction, next).await? {
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
    .execute(&mut *transaction)
    .await?;
    keys::remember(&mut transaction, key, &id).await?;
    transaction.commit().await?;
    Ok(Written { value: next.clone(), replayed: false })
}

struct SessionColumns {
    id: Vec<u8>,
    user: Vec<u8>,
    generation: i64,
    created_at: i64,
    expires_at: i64,
    revoked: bool,
}

impl TryFrom<SessionColumns> for Session {
    type Error = StoreError;
    fn try_from(row: SessionColumns) -> Result<Self, StoreError> {
        Ok(Self {
            id: SessionId(id_of(&row.id)?),
            user: UserId(id_of(&row.user)?),
            generation: unsigned(row.generation),
            created_at: Timestamp(row.created_at),
            expires_at: Timestamp(row.expires_at),
            revoked: row.revoked,
        })
    }
}

pub(super) async fn session(
    connection: &mut SqliteConnection,
    id: SessionId,
) -> TableResult<Option<Session>> {
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

pub(super) async fn create_session(
    connection: &mut SqliteConnection,
    new: &Session,
    key: Option<&TableKey>,
) -> TableResult<Written<Session>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let id = SessionId(id_of(&subject)?);
        let value = session(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
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

pub(super) async fn rotate_session(
    connection: &mut SqliteConnection,
    id: SessionId,
    generation: u64,
    expires_at: Timestamp,
    key: Option<&TableKey>,
) -> TableResult<Written<Session>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut stored = session(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        return Ok(Written { value: stored, replayed: true });
    }
    if stored.revoked {
        return Err(StoreError::NotFound.into());
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

/// Nothing happens when there is no such session, or when it is revoked.
pub(super) async fn revoke_session(connection: &mut SqliteConnection, id: SessionId) -> TableResult<()> {
    let id = id_bytes(id.0);
    sqlx::query!("UPDATE session SET revoked = 1 WHERE id = ?", id).execute(connection).await?;
    Ok(())
}

pub(super) async fn revoke_sessions_of(
    connection: &mut SqliteConnection,
    user: UserId,
    but: Option<SessionId>,
) -> TableResult<Vec<SessionId>> {
    let (user, but) = (id_bytes(user.0), but.map(|id| id_bytes(id.0)));
    let revoked = sqlx::query_scalar!(
        r#"UPDATE session SET revoked = 1 WHERE user = ? AND revoked = 0 AND id IS NOT ?
           RETURNING id AS "id!: Vec<u8>""#,
        user,
        but
    )
    .fetch_all(connection)
    .await?;
    ids(&revoked, SessionId)
}

pub(super) async fn revoked_sessions(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> TableResult<Vec<SessionId>> {
    let revoked = sqlx::query_scalar!("SELECT id FROM session WHERE revoked = 1 AND expires_at > ?", now.0)
        .fetch_all(connection)
        .await?;
    ids(&revoked, SessionId)
}

/// In the order in which they were entered.
pub(super) async fn addresses(connection: &mut SqliteConnection, user: UserId) -> TableResult<Vec<Address>> {
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

async fn address_version(
    connection: &mut SqliteConnection,
    user: UserId,
    id: AddressId,
) -> TableResult<Option<u64>> {
    let (user, id) = (id_bytes(user.0), id_bytes(id.0));
    let version = sqlx::query_scalar!("SELECT version FROM address WHERE user = ? AND id = ?", user, id)
        .fetch_optional(connection)
        .await?;
    Ok(version.map(unsigned))
}

pub(super) async fn put_address(
    connection: &mut SqliteConnection,
    next: &Address,
    key: Option<&TableKey>,
) -> TableResult<Written<Address>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        return Ok(Written { value: replayed_address(next, &subject)?, replayed: true });
    }
    let stored = address_version(&mut transaction, next.user, next.id).await?;
    match stored {
        None if next.version != 1 => return Err(StoreError::NotFound.into()),
        Some(version) if version + 1 != next.version => return Err(StoreError::Stale { version }.into()),
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
    let subject = [&id[..], &next.version.to_be_bytes()].concat();
    keys::remember(&mut transaction, key, &subject).await?;
    transaction.commit().await?;
    Ok(Written { value: next.clone(), replayed: false })
}

/// A request that creates draws a new id each time: the first one counts.
fn replayed_address(request: &Address, subject: &[u8]) -> Result<Address, StoreError> {
    let parts =
        subject.split_first_chunk::<16>().and_then(|(id, version)| Some((id, version.try_into().ok()?)));
    let (id, version) = parts.ok_or_else(|| invariant("an address's idempotency key".to_owned()))?;
    let (id, version) = (AddressId(u128::from_be_bytes(*id)), u64::from_be_bytes(version));
    Ok(Address { id, version, ..request.clone() })
}

pub(super) async fn delete_address(
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
