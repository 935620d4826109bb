use smartcart_domain::{
    id::{AddressId, SessionId, UserId},
    time::Timestamp,
    users::{Address, Session, User},
};
use smartcart_engine::store::StoreError;

use crate::columns::{id_of, unsigned};

#[derive(sqlx::FromRow)]
pub(crate) struct UserColumns {
    pub(crate) id: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password_hash: String,
    pub(crate) created_at: i64,
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

#[derive(sqlx::FromRow)]
pub(crate) struct SessionColumns {
    pub(crate) id: Vec<u8>,
    pub(crate) user: Vec<u8>,
    pub(crate) generation: i64,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) revoked: bool,
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

/// Addresses are the same without regard to case.
pub(crate) fn email_key(email: &str) -> String {
    email.to_lowercase()
}

/// What an idempotency key remembers of an address: its id and version.
pub(crate) fn address_subject(written: &Address) -> Vec<u8> {
    [&written.id.0.to_be_bytes()[..], &written.version.to_be_bytes()].concat()
}

/// A request that creates draws a new id each time: the first one counts.
pub(crate) fn address_replayed(request: &Address, subject: &[u8]) -> Result<Address, StoreError> {
    let parts =
        subject.split_first_chunk::<16>().and_then(|(id, version)| Some((id, version.try_into().ok()?)));
    let (id, version) =
        parts.ok_or_else(|| StoreError::Corrupt("an address's idempotency key".to_owned()))?;
    let (id, version) = (AddressId(u128::from_be_bytes(*id)), u64::from_be_bytes(version));
    Ok(Address { id, version, ..request.clone() })
}
