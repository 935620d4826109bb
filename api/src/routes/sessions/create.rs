use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{
    id::SessionId,
    users::{Session, User},
};
use utoipa::ToSchema;

use super::tokens_json;
use crate::{
    app_state::AppState,
    auth::Secret,
    extract::{Change, Json},
    problem::{Code, Problem},
    reply::{Durability, Reply},
    routes::users::table_key,
    views::TokensView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    #[schema(example = "ada@example.com")]
    email: String,
    password: Secret,
}

/// Sign in
#[utoipa::path(
    post, path = "/v1/sessions", tag = "sessions", operation_id = "create_session",
    request_body = CreateSession,
    responses(
        (status = 201, description = "The tokens", body = TokensView),
        (status = 401, description = "`invalid_credentials`"),
    ),
)]
pub async fn create_session(
    State(state): State<Arc<AppState>>,
    change: Change<Json<CreateSession>>,
) -> Result<Reply, Problem> {
    let caller = change.caller();
    let Json(CreateSession { email, password }) = change.body;
    let id = match &change.key {
        Some(key) => SessionId(key.derive(state.engine.secret(), "session", caller)?),
        None => SessionId::random(),
    };
    let user = authenticate(&state, &email, password).await?;
    // The password is this account's, so the hash that is kept already stands for it.
    let key = change.key.map(|key| key.for_parts(&["create_session", &email, &user.password_hash]));
    let now = state.engine.clock().wall();
    let session = Session {
        id,
        user: user.id,
        generation: 1,
        created_at: now,
        expires_at: now.plus(state.auth.refresh.lifetime()),
        revoked: false,
    };
    let key = table_key(&state, key.map(|key| key.fingerprint(caller)));
    let written = state.engine.store().create_session(&session, key).await?;
    let json = tokens_json(&state, &user, &written.value)?;
    Ok(Reply::created(json, "/v1/sessions/current".to_owned())
        .durable(Durability::Committed, written.replayed))
}

/// Takes as long, and says as much, for an unknown address as for a wrong password.
async fn authenticate(state: &AppState, email: &str, Secret(password): Secret) -> Result<User, Problem> {
    let user = state.engine.store().user_by_email(email).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let right = state.auth.passwords.verify(password, stored).await?;
    user.filter(|_| right).ok_or_else(|| Problem::plain(Code::InvalidCredentials))
}
