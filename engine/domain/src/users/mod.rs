//! Shoppers' accounts and sessions, as the store keeps them.

use crate::{
    id::{AddressId, SessionId, UserId},
    time::Timestamp,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// Raised by one at each change.
    pub version: u64,
    /// As entered; unique without regard to case.
    pub email: String,
    pub name: String,
    /// A PHC string (argon2id).
    pub password_hash: String,
    pub created_at: Timestamp,
}

/// A signed-in device. Its refresh token carries a generation: each refresh raises it, and an old one that comes
/// back is a theft, which ends the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub generation: u64,
    pub created_at: Timestamp,
    /// No refresh after this.
    pub expires_at: Timestamp,
    pub revoked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub id: AddressId,
    pub user: UserId,
    pub version: u64,
    /// The address as the storefront sent it: a JSON object's text.
    pub body: String,
}
