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
    extract::{Change, Json, Shopper},
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
    let user = account(&state, change.identity.shopper()?).await?;
    let caller = change.caller();
    let Json(ChangePassword { current_password: Secret(current), new_password: Secret(new) }) = change.body;
    must_be_strong("new_password", &new)?;
    let passwords = &state.auth.passwords;
    if !passwords.verify(current, Some(user.password_hash.clone())).await? {
        // A retry of a change that was made finds the new password in place.
        if change.key.is_none() || !passwords.verify(new, Some(user.password_hash)).await? {
            return Err(Problem::plain(Code::InvalidCredentials));
        }
        // It may have failed before the sessions had ended.
        end_other_sessions(&state, user.id, change.identity.session).await?;
        return Ok(Reply::no_content().durable(Durability::Committed, true));
    }
    must_be_at(change.expected, user.version)?;
    let key = change.key.map(|key| key.for_parts(&["change_password"]).fingerprint(caller));
    let next = User { version: user.version + 1, password_hash: passwords.hash(new).await?, ..user };
    let written = state.engine.store().update_user(&next, table_key(&state, key)).await?;
    end_other_sessions(&state, next.id, change.identity.session).await?;
    Ok(Reply::no_content().durable(Durability::Committed, written.replayed))
}

async fn end_other_sessions(
    state: &AppState,
    user: UserId,
    but: Option<smartcart_domain::id::SessionId>,
) -> Result<(), Problem> {
    let ended = state.engine.store().revoke_sessions_of(user, but).await;
    // The password is another by now.
    let ended = ended.map_err(StoreError::of_later_step)?;
    state.auth.end_sessions(ended, state.engine.clock().wall());
    Ok(())
}
