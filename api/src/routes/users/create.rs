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
    problem::{Problem, both},
    reply::{Durability, Reply},
    views::UserView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
    /// 8 to 256 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    password: Secret,
    #[schema(example = "Ada", min_length = 1, max_length = 200)]
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
    let names = both(email_address(email), display_name(&name));
    let ((email, name), ()) = both(names, must_be_strong("password", &password))?;
    let key = match change.key {
        Some(key) => Some(key.for_passwords(&state, &["create_user", &email, &name, &password]).await?),
        None => None,
    };
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
