use std::sync::Arc;

use axum::extract::State;

use crate::{
    app_state::AppState,
    extract::{Change, Nothing, Shopper},
    problem::{Code, Problem},
    reply::{Durability, Reply},
};

/// Sign out
///
/// The session's tokens are no longer good.
#[utoipa::path(
    delete, path = "/v1/sessions/current", tag = "sessions", operation_id = "end_session",
    security(("bearer" = [])),
    responses((status = 204, description = "Signed out")),
)]
pub async fn end_session(
    State(state): State<Arc<AppState>>,
    change: Change<Nothing, Shopper>,
) -> Result<Reply, Problem> {
    let session = change.identity.session.ok_or_else(|| Problem::plain(Code::AuthenticationRequired))?;
    state.engine.store().revoke_session(session).await?;
    state.auth.end_sessions([session], state.engine.clock().wall());
    Ok(Reply::no_content().durable(Durability::Committed, false))
}
