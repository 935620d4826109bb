use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::users::User;
use smartcart_engine::store::StoreError;
use utoipa::ToSchema;

use super::{account, display_name, email_address, must_be_at, table_key};
use crate::{
    app_state::AppState,
    extract::{Change, Json, Shopper, given},
    json,
    problem::{FieldCode, Problem, both},
    reply::{Durability, Reply},
    views::UserView,
};

/// What is not given stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, max_length = 254)]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    name: Option<Option<String>>,
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
    let shopper = change.identity.shopper()?;
    let key = table_key(&state, change.fingerprint());
    let Json(UpdateUser { email, name }) = change.body;
    let (email, name) = both(
        email.map(|email| email_address(must_be_said("email", email)?)).transpose(),
        name.map(|name| display_name(&must_be_said("name", name)?)).transpose(),
    )?;
    let written = loop {
        let known = account(&state, shopper).await?;
        if key.is_none() {
            must_be_at(change.expected, known.version)?;
        }
        let next = User {
            // With a key, the store first looks whether this was done before; only then does the version count.
            version: change.expected.unwrap_or(known.version).saturating_add(1),
            email: email.clone().unwrap_or_else(|| known.email.clone()),
            name: name.clone().unwrap_or_else(|| known.name.clone()),
            ..known
        };
        match state.engine.store().update_user(&next, key).await {
            // Somebody was faster, and this client has named no version: it goes on from there.
            Err(StoreError::Stale { .. }) if change.expected.is_none() => {}
            written => break written?,
        }
    };
    Ok(Reply::ok(json::encode(&UserView::new(&written.value)))
        .version(written.value.version)
        .durable(Durability::Committed, written.replayed))
}

/// An account has both: neither can be taken away.
fn must_be_said(field: &'static str, value: Option<String>) -> Result<String, Problem> {
    value.ok_or_else(|| Problem::invalid(field, FieldCode::WrongType, "it cannot be null"))
}
