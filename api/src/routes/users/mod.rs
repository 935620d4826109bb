pub mod addresses;
pub mod create;
pub mod me;
pub mod password;
pub mod update;

use smartcart_domain::{id::UserId, idempotency::KeyFingerprint, users::User};
use smartcart_engine::store::TableKey;

use crate::{
    app_state::AppState,
    problem::{Code, FieldCode, Problem},
};

const EMAIL_CHARACTERS: usize = 254;
const PASSWORD_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=256;
const NAME_CHARACTERS: usize = 200;

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
    let plausible = text.chars().count() <= EMAIL_CHARACTERS
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if plausible {
        return Ok(text);
    }
    Err(Problem::invalid("email", FieldCode::Invalid, "not an e-mail address"))
}

fn display_name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    must_be_a_line("name", name, NAME_CHARACTERS)?;
    Ok(name.to_owned())
}

fn must_be_strong(field: &'static str, password: &str) -> Result<(), Problem> {
    let (min, max) = (PASSWORD_CHARACTERS.start(), PASSWORD_CHARACTERS.end());
    let code = match password.chars().count() {
        length if length < *min => FieldCode::TooShort,
        length if length > *max => FieldCode::TooLong,
        _ => return Ok(()),
    };
    Err(Problem::invalid(field, code, format!("a password has {min} to {max} characters")))
}

/// 1 to `max` characters.
pub(super) fn must_be_short(field: &'static str, text: &str, max: usize) -> Result<(), Problem> {
    let code = match text.chars().count() {
        0 => FieldCode::TooShort,
        length if length > max => FieldCode::TooLong,
        _ => return Ok(()),
    };
    Err(Problem::invalid(field, code, format!("1 to {max} characters")))
}

/// The same of a text that people read on one line.
pub(super) fn must_be_a_line(field: &'static str, text: &str, max: usize) -> Result<(), Problem> {
    must_be_short(field, text, max)?;
    if text.chars().any(char::is_control) {
        return Err(Problem::invalid(field, FieldCode::ForbiddenCharacter, "no control characters"));
    }
    Ok(())
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
