use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{
    cart::CartCommand, id::CartId, idempotency::Caller, money::Currency, request::Request,
};
use smartcart_engine::published::Encoding;
use utoipa::ToSchema;

use super::fresh_json;
use crate::{
    app_state::AppState,
    extract::{Change, Json, JsonObject},
    problem::{Code, FieldCode, FieldError, Problem},
    reply::{Durability, Reply},
    views::CartView,
};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCart {
    /// ISO 4217; the shop's own when not said.
    #[schema(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "GBP")]
    currency: Option<Currency>,
    /// Anything of the storefront's own, up to 4,096 characters; the order carries it on.
    metadata: Option<JsonObject>,
}

/// Create a cart
///
/// A signed-in shopper's cart is theirs alone. A guest's cart belongs to whoever knows its id.
#[utoipa::path(
    post, path = "/v1/carts", tag = "carts", operation_id = "create_cart",
    request_body(content = Option<CreateCart>),
    responses((status = 201, description = "The new cart", body = CartView)),
)]
pub async fn create_cart(
    State(state): State<Arc<AppState>>,
    change: Change<Option<Json<CreateCart>>>,
) -> Result<Reply, Problem> {
    let caller = change.caller();
    let (id, fresh) = match &change.key {
        Some(key) => (CartId(key.derive(state.engine.secret(), "cart", caller)?), false),
        None => (CartId::random(), true),
    };
    let key = change.fingerprint();
    let CreateCart { currency, metadata } = change.body.map(|Json(body)| body).unwrap_or_default();
    if let Some(metadata) = &metadata {
        must_fit(metadata, state.engine.limits().metadata_characters)?;
    }
    let command = CartCommand::Create {
        currency: currency.unwrap_or(state.currency),
        owner: match caller {
            Caller::User(user) => Some(user),
            Caller::Guest | Caller::Service | Caller::Engine => None,
        },
        metadata: metadata.map(JsonObject::into_text),
    };
    let request = Request { command, caller, key, expected: None, fresh };
    let answer = state.engine.carts().ask(&id, request).await?;
    let Encoding { body, rendition } = fresh_json(&state, &answer);
    Ok(Reply::created(body, format!("/v1/carts/{id}"))
        .rendition(answer.published.view().version, rendition)
        .durable(Durability::Journaled, answer.replayed))
}

fn must_fit(metadata: &JsonObject, limit: usize) -> Result<(), Problem> {
    if metadata.text().chars().count() <= limit {
        return Ok(());
    }
    Err(Problem::new(Code::InvalidMetadata, format!("metadata has at most {limit} characters"))
        .with("limit", limit)
        .at(FieldError {
            pointer: "/metadata".to_owned(),
            code: FieldCode::TooLong,
            detail: format!("at most {limit} characters"),
        }))
}
