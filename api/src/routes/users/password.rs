use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{id::UserId, users::User};
use smartcart_engine::store::{StoreError, TableKey};
use utoipa::ToSchema;

use super::{account, must_be_at, must_be_strong, table_key};
use crate::{
    app_state::AppState,
    auth::Secret,
    extract::{Change, Json, Shopper},
    problem::{Code, Problem},
    reply::{Durability, Reply},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    current_password: Secret,
    /// 8 to 256 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    new_password: Secret,
}

/// Change one's password
///
/// Every other session of the account ends.
#[utoipa::path(
    put, path = "/v1/users/me/password", tag = "users", operation_id = "change_password",
    security(("bearer" = [])),
    request_body = ChangePassword,
    responses(
        (status = 204, description = "Changed"),
        (status = 401, description = "`invalid_credentials`: the current password is another"),
    ),
)]
pub async fn change_password(
    State(state): State<Arc<AppState>>,
    change: Change<Json<ChangePassword>, Shopper>,
) -> Result<Reply, Problem> {
    let shopper = change.identity.shopper()?;
    let (caller, session, expected) = (change.caller(), change.identity.session, change.expected);
    let Json(ChangePassword { current_password: Secret(current), new_password: Secret(new) }) = change.body;
    must_be_strong("new_password", &new)?;
    let key = match change.key {
        Some(key) => Some(key.for_passwords(&state, &["change_password", &current, &new]).await?),
        None => None,
    };
    let key = table_key(&state, key.map(|key| key.fingerprint(caller)));
    // First of all: a retry of a change that was made finds another password in place.
    if let Some(reply) = replayed(&state, shopper, key).await? {
        return Ok(reply);
    }
    let passwords = &state.auth.passwords;
    let (mut verified, mut new_hash) = (None, None);
    loop {
        let known = account(&state, shopper).await?;
        if verified.as_ref() != Some(&known.password_hash) {
            let stored = Some(known.password_hash.clone());
            if !passwords.verify(current.clone(), stored.clone()).await? {
                // Of a request that was carried out meanwhile, that is its own work.
                let replayed = replayed(&state, shopper, key).await?;
                return replayed.ok_or_else(|| Problem::plain(Code::InvalidCredentials));
            }
            verified = stored;
        }
        must_be_at(expected, known.version)?;
        let password_hash = match new_hash.take() {
            Some(hash) => hash,
            None => passwords.hash(new.clone()).await?,
        };
        let next = User { version: known.version + 1, password_hash, ..known };
        match state.engine.store().change_password(&next, session, key).await {
            // Somebody was faster, and this client has named no version: it goes on from there.
            Err(StoreError::Stale { .. }) if expected.is_none() => new_hash = Some(next.password_hash),
            written => return changed(&state, shopper, written?.replayed).await,
        }
    }
}

/// The answer, when this key has made its change already.
async fn replayed(state: &AppState, user: UserId, key: Option<TableKey>) -> Result<Option<Reply>, Problem> {
    match key {
        Some(key) if state.engine.store().user_of_key(key).await?.is_some() => {
            changed(state, user, true).await.map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

/// What follows the change, also when it is replayed: what the tables have ended is over on this pod.
async fn changed(state: &AppState, user: UserId, replayed: bool) -> Result<Reply, Problem> {
    let ended = state.engine.store().revoked_sessions_of(user).await;
    // The password is another by now.
    let ended = ended.map_err(StoreError::of_later_step)?;
    state.auth.end_sessions(ended, state.engine.clock().wall());
    Ok(Reply::no_content().durable(Durability::Committed, replayed))
}
