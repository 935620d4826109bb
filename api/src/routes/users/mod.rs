pub mod addresses;
pub mod create;
pub mod me;
pub mod password;
pub mod update;

use smartcart_domain::{id::UserId, idempotency::KeyFingerprint, users::User};
use smartcart_engine::store::TableKey;

use crate::{
    app_state::AppState,
    problem::{Code, Problem},
};

const EMAIL_BYTES: usize = 254;
const PASSWORD_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=256;
const NAME_BYTES: usize = 200;

/// The signed-in shopper's account.
pub(super) async fn account(state: &AppState, user: UserId) -> Result<User, Problem> {
    state.engine.store().user(user).await?.ok_or_else(|| Problem::plain(Code::UserNotFound))
}

pub(super) fn table_key(state: &AppState, fingerprint: Option<KeyFingerprint>) -> Option<TableKey> {
    fingerprint.map(|guard| TableKey { guard, now: state.engine.clock().wall() })
}

/// `If-Match` against what is about to be changed.
pub(super) fn must_be_at(expected: Option<u64>, version: u64) -> Result<(), Problem> {
    match expected {
        Some(expected) if expected != version => Err(Problem::stale(version)),
        _ => Ok(()),
    }
}

/// Something before and after one `@`, without spaces; whether it exists only a message to it can tell.
pub(super) fn email_address(text: String) -> Result<String, Problem> {
    let plausible = text.len() <= EMAIL_BYTES
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if plausible {
        return Ok(text);
    }
    Err(Problem::new(Code::InvalidField, "email: not an e-mail address").with("field", "email"))
}

fn display_name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    must_be_short("name", name, NAME_BYTES)?;
    Ok(name.to_owned())
}

fn must_be_strong(field: &'static str, password: &str) -> Result<(), Problem> {
    if PASSWORD_CHARACTERS.contains(&password.chars().count()) {
        return Ok(());
    }
    let (min, max) = (PASSWORD_CHARACTERS.start(), PASSWORD_CHARACTERS.end());
    Err(Problem::new(Code::InvalidField, format!("{field}: a password has {min} to {max} characters"))
        .with("field", field))
}

/// 1 to `max` bytes.
pub(super) fn must_be_short(field: &'static str, text: &str, max: usize) -> Result<(), Problem> {
    if (1..=max).contains(&text.len()) {
        return Ok(());
    }
    Err(Problem::new(Code::InvalidField, format!("{field}: 1 to {max} bytes")).with("field", field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plausible_addresses_are_taken() {
        assert!(email_address("ada@example.com".to_owned()).is_ok());
        for text in ["", "ada", "@example.com", "ada@", "a@b@c", "ada lovelace@example.com", "a@b\n"] {
            assert!(email_address(text.to_owned()).is_err(), "{text}");
        }
    }
}
