use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{id::UserId, users::User};
use smartcart_engine::store::StoreError;
use utoipa::ToSchema;

use super::{account, must_be_at, must_be_strong, table_key};
use crate::{
    app_state::AppState,
    auth::Secret,
    extract::{Change, Json},
    problem::{Code, Problem},
    reply::{Durability, Reply},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    current_password: Secret,
    /// 8 to 256 characters.
    new_password: Secret,
}

/// Change one's password
///
/// Every other session of the account ends.
#[utoipa::path(
    put, path = "/v1/users/me/password", tag = "users", operation_id = "change_password",
    request_body = ChangePassword,
    responses(
        (status = 204, description = "Changed"),
        (status = 401, description = "`invalid_credentials`: the current password is another"),
    ),
)]
pub async fn change_password(
    State(state): State<Arc<AppState>>,
    change: Change<Json<ChangePassword>>,
) -> Result<Reply, Problem> {
    let user = account(&state, change.identity.shopper()?).await?;
    let (caller, session) = (change.caller(), change.identity.session);
    let Json(ChangePassword { current_password: Secret(current), new_password: Secret(new) }) = change.body;
    must_be_strong("new_password", &new)?;
    let key = change.key.map(|key| key.for_parts(&["change_password"]).fingerprint(caller));
    let (store, passwords, key) = (state.engine.store(), &state.auth.passwords, table_key(&state, key));
    // First of all: a retry of a change that was made finds another password in place.
    if let Some(key) = key
        && store.user_of_key(key).await?.is_some()
    {
        return changed(&state, user.id, true).await;
    }
    if !passwords.verify(current, Some(user.password_hash.clone())).await? {
        return Err(Problem::plain(Code::InvalidCredentials));
    }
    must_be_at(change.expected, user.version)?;
    let next = User { version: user.version + 1, password_hash: passwords.hash(new).await?, ..user };
    let written = store.change_password(&next, session, key).await?;
    changed(&state, next.id, written.replayed).await
}

/// What follows the change, also when it is replayed: what the tables have ended is over on this pod.
async fn changed(state: &AppState, user: UserId, replayed: bool) -> Result<Reply, Problem> {
    let ended = state.engine.store().revoked_sessions_of(user).await;
    // The password is another by now.
    let ended = ended.map_err(StoreError::of_later_step)?;
    state.auth.end_sessions(ended, state.engine.clock().wall());
    Ok(Reply::no_content().durable(Durability::Committed, replayed))
}
