use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use smartcart_domain::{id::SessionId, idempotency::Caller};

use crate::{
    app_state::AppState,
    extract::IdempotencyKey,
    problem::{Code, Problem},
    reply::{Durability, Reply},
    routes::users::table_key,
};

/// Sign out
///
/// The session's tokens are no longer good.
#[utoipa::path(
    delete, path = "/v1/sessions/current", tag = "sessions", operation_id = "end_session",
    security(("bearer" = [])),
    responses((status = 204, description = "Signed out")),
)]
pub async fn end_session(State(state): State<Arc<AppState>>, leaving: Leaving) -> Result<Reply, Problem> {
    let Leaving { caller, session, key } = leaving;
    let key = key.map(|key| key.for_parts(&["end_session"]).within(session).fingerprint(caller));
    let written = state.engine.store().revoke_session(session, table_key(&state, key)).await?;
    state.auth.end_sessions([session], state.engine.clock().wall());
    if !written.value {
        return Err(Problem::plain(Code::InvalidToken));
    }
    Ok(Reply::no_content().durable(Durability::Committed, written.replayed))
}

/// Who signs out. Its session may be over already: whether this very request has ended it, its key tells.
#[derive(Debug)]
pub struct Leaving {
    caller: Caller,
    session: SessionId,
    key: Option<IdempotencyKey>,
}

impl FromRequestParts<Arc<AppState>> for Leaving {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, Problem> {
        let identity = state.auth.identify_even_revoked(&parts.headers, state.engine.clock().wall())?;
        identity.shopper()?;
        let session = identity.session.ok_or_else(|| Problem::plain(Code::AuthenticationRequired))?;
        Ok(Self { caller: identity.caller, session, key: IdempotencyKey::read(&parts.headers)? })
    }
}
