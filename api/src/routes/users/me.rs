use std::sync::Arc;

use axum::extract::State;

use super::account;
use crate::{
    app_state::AppState, auth::Identity, etag::KnownVersions, json, problem::Problem, reply::Reply,
    views::UserView,
};

/// Read one's own account
#[utoipa::path(
    get, path = "/v1/users/me", tag = "users", operation_id = "read_me",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = UserView), (status = 304, description = "As you have it")),
)]
pub async fn read_me(
    State(state): State<Arc<AppState>>,
    identity: Identity,
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let user = account(&state, identity.shopper()?).await?;
    Ok(Reply::read(&known, user.version, || json::encode(&UserView::new(&user))))
}
