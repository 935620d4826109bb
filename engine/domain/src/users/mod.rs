//! Shoppers' accounts and sessions, as the store keeps them.

use std::time::Duration;

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

impl User {
    /// Whether the next version would change nothing.
    pub fn says_the_same(&self, other: &Self) -> bool {
        Self { version: other.version, ..self.clone() } == *other
    }
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

impl Session {
    /// Whether a rotation that would end at `expires_at` comes so soon after the last one that it is its neighbour's, or its
    /// own again: two tabs have one refresh token, and an answer may be lost.
    pub fn was_rotated_just_before(&self, generation: u64, expires_at: Timestamp, grace: Duration) -> bool {
        generation.checked_add(1) == Some(self.generation) && expires_at < self.expires_at.plus(grace)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub id: AddressId,
    pub user: UserId,
    pub version: u64,
    /// The address as the storefront sent it: a JSON object's text.
    pub body: String,
}
