use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{id::UserId, users::User};
use utoipa::ToSchema;

use super::{display_name, email_address, must_be_strong, table_key};
use crate::{
    app_state::AppState,
    auth::Secret,
    extract::{Change, Json},
    json,
    problem::Problem,
    reply::{Durability, Reply},
    views::UserView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    #[schema(example = "ada@example.com")]
    email: String,
    /// 8 to 256 characters.
    password: Secret,
    #[schema(example = "Ada")]
    name: String,
}

/// Open an account
#[utoipa::path(
    post, path = "/v1/users", tag = "users", operation_id = "create_user",
    request_body = CreateUser,
    responses(
        (status = 201, description = "The account", body = UserView),
        (status = 409, description = "`email_taken`"),
    ),
)]
pub async fn create_user(
    State(state): State<Arc<AppState>>,
    change: Change<Json<CreateUser>>,
) -> Result<Reply, Problem> {
    let caller = change.caller();
    let Json(CreateUser { email, password: Secret(password), name }) = change.body;
    let (email, name) = (email_address(email)?, display_name(&name)?);
    must_be_strong("password", &password)?;
    let key = change.key.map(|key| key.for_parts(&["create_user", &email, &name]));
    let id = match &key {
        Some(key) => UserId(key.derive(state.engine.secret(), "user", caller)?),
        None => UserId::random(),
    };
    let user = User {
        id,
        version: 1,
        email,
        name,
        password_hash: state.auth.passwords.hash(password).await?,
        created_at: state.engine.clock().wall(),
    };
    let fingerprint = key.map(|key| key.fingerprint(caller));
    let written = state.engine.store().create_user(&user, table_key(&state, fingerprint)).await?;
    Ok(Reply::created(json::encode(&UserView::new(&written.value)), "/v1/users/me".to_owned())
        .version(written.value.version)
        .durable(Durability::Committed, written.replayed))
}
