use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName};
use smartcart_domain::{
    id::IdSecret,
    idempotency::{Caller, KeyFingerprint},
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    app_state::AppState,
    problem::{Code, Problem},
};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_CHARACTERS: usize = 255;
/// A guest has no identity, so the key alone must be beyond guessing.
const GUEST_MIN_CHARACTERS: usize = 32;

/// The client's word for one change, with the request's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    text: String,
    request: u64,
}

impl IdempotencyKey {
    /// The header: 1 to 255 visible ASCII characters.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let bytes = value.as_bytes();
        let allowed = (1..=MAX_CHARACTERS).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(text) if allowed && values.next().is_none() => {
                Ok(Some(Self { text: text.to_owned(), request: 0 }))
            }
            _ => Err(Problem::new(
                Code::InvalidHeader,
                "Idempotency-Key: one value of 1 to 255 visible ASCII characters",
            )),
        }
    }

    #[must_use]
    pub fn for_request(mut self, fingerprint: u64) -> Self {
        self.request = fingerprint;
        self
    }

    /// For a body with passwords in it. Whoever reads the tables could try them on a fast hash, though it be keyed: this one is
    /// as slow as that of the accounts, and its salt is the shop's and this key's own.
    pub async fn for_passwords(self, state: &AppState, parts: &[&str]) -> Result<Self, Problem> {
        let salt = state.engine.secret().derive("password-fingerprint", &[self.text.as_bytes()]);
        // No text has a U+0000, so the parts are told apart.
        let fingerprint = state.auth.passwords.fingerprint(parts.join("\0"), salt).await?;
        Ok(self.for_request(fingerprint))
    }

    /// For a body with a secret in it that nobody can guess.
    #[must_use]
    pub fn for_parts(self, parts: &[&str]) -> Self {
        self.for_request(xxh3_64(parts.join("\n").as_bytes()))
    }

    /// A key that is the caller's within `scope` only: a hold, a session, whose id nobody else knows.
    #[must_use]
    pub fn within(mut self, scope: impl std::fmt::Display) -> Self {
        // Writing to a string does not fail.
        let _ = write!(self.text, " {scope}");
        self
    }

    pub fn fingerprint(&self, caller: Caller) -> KeyFingerprint {
        KeyFingerprint::new(caller, &self.text, self.request)
    }

    /// The id of what this key creates: the same again for a retry.
    pub fn derive(&self, secret: &IdSecret, purpose: &str, caller: Caller) -> Result<u128, Problem> {
        self.must_be_unguessable(caller)?;
        let user;
        let who: &[u8] = match caller {
            Caller::Guest => b"guest",
            Caller::Service | Caller::Engine => b"service",
            Caller::User(id) => {
                user = id.0.to_be_bytes();
                &user
            }
        };
        Ok(secret.derive(purpose, &[who, self.text.as_bytes()]))
    }

    pub fn must_be_unguessable(&self, caller: Caller) -> Result<(), Problem> {
        if caller == Caller::Guest && self.text.len() < GUEST_MIN_CHARACTERS {
            return Err(Problem::new(
                Code::IdempotencyKeyTooShort,
                "a guest's Idempotency-Key for something new has 32 characters or more, drawn at random",
            )
            .with("min_length", GUEST_MIN_CHARACTERS));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use smartcart_domain::id::UserId;

    use super::*;

    fn with(key: &str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER, HeaderValue::from_str(key).unwrap())])
    }

    #[test]
    fn only_visible_ascii_is_a_key() {
        assert!(IdempotencyKey::read(&with("a-1")).unwrap().is_some());
        assert!(IdempotencyKey::read(&HeaderMap::new()).unwrap().is_none());
        for key in ["", "a b", "é", &"x".repeat(256)] {
            assert!(IdempotencyKey::read(&with(key)).is_err(), "{key}");
        }
        let mut twice = with("a");
        twice.append(HEADER, HeaderValue::from_static("b"));
        assert!(IdempotencyKey::read(&twice).is_err());
    }

    #[test]
    fn a_guests_creation_needs_a_long_key_and_a_shoppers_does_not() {
        let secret = IdSecret::new([1; 32]);
        let key = IdempotencyKey::read(&with("short")).unwrap().unwrap();
        assert!(key.derive(&secret, "cart", Caller::Guest).is_err());
        let of = |user| key.derive(&secret, "cart", Caller::User(UserId(user))).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
