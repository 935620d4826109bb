use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::id::SessionId;
use smartcart_engine::store::StoreError;
use utoipa::ToSchema;

use super::tokens_json;
use crate::{
    app_state::AppState,
    auth::Secret,
    extract::{Change, Json},
    problem::{Code, Problem},
    reply::{Durability, Reply},
    routes::users::{account, table_key},
    views::TokensView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshSession {
    refresh_token: Secret,
}

/// Refresh the tokens
///
/// Each refresh token is good once, and for some seconds more: two tabs that refresh at once get the same. One that comes back
/// later was stolen from somebody: the session ends.
#[utoipa::path(
    post, path = "/v1/sessions/refresh", tag = "sessions", operation_id = "refresh_session",
    request_body = RefreshSession,
    responses(
        (status = 200, description = "New tokens", body = TokensView),
        (status = 401, description = "`invalid_token`, or `refresh_token_reused`"),
    ),
)]
pub async fn refresh_session(
    State(state): State<Arc<AppState>>,
    change: Change<Json<RefreshSession>>,
) -> Result<Reply, Problem> {
    let caller = change.caller();
    let Secret(token) = &change.body.0.refresh_token;
    let invalid = || Problem::plain(Code::InvalidToken);
    let (id, generation) = state.auth.refresh.verify(token).ok_or_else(invalid)?;
    let store = state.engine.store();
    let now = state.engine.clock().wall();
    let session = store.session(id).await?.ok_or_else(invalid)?;
    if session.revoked {
        // Also when it was ended by a process that did not live to tell this one.
        state.auth.end_sessions([id], now);
    }
    if session.revoked || session.expires_at <= now {
        return Err(invalid());
    }
    // Before the change: once the token is used up, a failure would not be one that did nothing.
    let user = account(&state, session.user).await?;
    // The session's own key: its id is known to nobody else.
    let key = change.key.map(|key| key.for_parts(&["refresh", token]).within(id).fingerprint(caller));
    let expires_at = now.plus(state.auth.refresh.lifetime());
    let grace = state.auth.refresh.grace();
    match store.rotate_session(id, generation, expires_at, grace, table_key(&state, key)).await {
        Ok(written) => {
            let json = tokens_json(&state, &user, &written.value)?;
            Ok(Reply::ok(json).durable(Durability::Committed, written.replayed))
        }
        Err(StoreError::Stale { .. }) => {
            end_stolen(&state, id).await?;
            Err(Problem::plain(Code::RefreshTokenReused))
        }
        Err(error) => Err(error.into()),
    }
}

async fn end_stolen(state: &AppState, id: SessionId) -> Result<(), Problem> {
    tracing::warn!("a refresh token was used twice; its session was ended");
    state.engine.store().revoke_session(id, None).await?;
    state.auth.end_sessions([id], state.engine.clock().wall());
    Ok(())
}
