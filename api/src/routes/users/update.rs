use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{account, display_name, email_address, must_be_at, table_key};
use crate::{
    app_state::AppState,
    extract::{Change, Json, Shopper},
    json,
    problem::Problem,
    reply::{Durability, Reply},
    views::UserView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    email: Option<String>,
    name: Option<String>,
}

/// Change one's own account
#[utoipa::path(
    patch, path = "/v1/users/me", tag = "users", operation_id = "update_me",
    security(("bearer" = [])),
    request_body = UpdateUser,
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 409, description = "`email_taken`"),
    ),
)]
pub async fn update_me(
    State(state): State<Arc<AppState>>,
    change: Change<Json<UpdateUser>, Shopper>,
) -> Result<Reply, Problem> {
    let mut user = account(&state, change.identity.shopper()?).await?;
    let key = table_key(&state, change.fingerprint());
    if key.is_none() {
        must_be_at(change.expected, user.version)?;
    }
    let Json(UpdateUser { email, name }) = change.body;
    if let Some(email) = email {
        user.email = email_address(email)?;
    }
    if let Some(name) = name {
        user.name = display_name(&name)?;
    }
    // With a key, the store first looks whether this was done before; only then does the version count.
    user.version = change.expected.unwrap_or(user.version) + 1;
    let written = state.engine.store().update_user(&user, key).await?;
    Ok(Reply::ok(json::encode(&UserView::new(&written.value)))
        .version(written.value.version)
        .durable(Durability::Committed, written.replayed))
}
