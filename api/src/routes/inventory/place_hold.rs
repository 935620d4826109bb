use std::{sync::Arc, time::Duration};

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{
    id::HoldId,
    inventory::{StockCommand, StockRejection},
    limits::{DEFAULT_HOLD_TTL, MAX_HOLD_TTL},
};
use utoipa::ToSchema;

use super::{ask, hold_json, known_sku};
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathSku},
    problem::{Problem, both},
    reply::{Durability, Reply},
    views::HoldView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceHold {
    #[schema(minimum = 1, example = 2)]
    quantity: u32,
    /// 1 s to a day; a quarter of an hour when not said.
    #[schema(example = 600)]
    ttl_seconds: Option<u64>,
    /// The client's own id for it: 128 random bits as 32 lower-case hexadecimal digits.
    #[schema(value_type = Option<String>)]
    hold_id: Option<HoldId>,
}

/// Hold units
///
/// Held units are nobody else's until the hold is committed, released or over.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/holds", tag = "inventory", operation_id = "place_hold",
    params(("sku" = String, Path, description = "The SKU")),
    request_body = PlaceHold,
    responses(
        (status = 201, description = "The hold", body = HoldView),
        (status = 409, description = "`insufficient_stock` with `available`"),
    ),
)]
pub async fn place_hold(
    State(state): State<Arc<AppState>>,
    PathSku(sku): PathSku,
    change: Change<Json<PlaceHold>>,
) -> Result<Reply, Problem> {
    let sku = known_sku(&state, &sku, change.caller())?;
    let Json(PlaceHold { quantity, ttl_seconds, hold_id }) = &change.body;
    if let Some(key) = &change.key {
        key.must_be_unguessable(change.caller())?;
    }
    let id = match (hold_id, &change.key) {
        (Some(id), _) => *id,
        (None, Some(key)) => HoldId(key.derive(state.engine.secret(), "hold", change.caller())?),
        (None, None) => HoldId::random(),
    };
    let ttl = ttl_seconds.map_or(DEFAULT_HOLD_TTL, Duration::from_secs);
    both(must_be_some(*quantity), must_end(ttl))?;
    let command = StockCommand::PlaceHold { id, quantity: *quantity, ttl };
    let answer = ask(&state, &sku, &change, change.fingerprint(), command).await?;
    let (id, json) = hold_json(&state, &sku, &answer.outcome)?;
    Ok(Reply::created(json, format!("/v1/inventory/{sku}/holds/{id}"))
        .durable(Durability::Journaled, answer.replayed))
}

fn must_be_some(quantity: u32) -> Result<(), Problem> {
    if quantity > 0 { Ok(()) } else { Err(StockRejection::QuantityZero.into()) }
}

/// The rule says so too, but after the quantity and alone.
fn must_end(ttl: Duration) -> Result<(), Problem> {
    if (Duration::from_secs(1)..=MAX_HOLD_TTL).contains(&ttl) {
        return Ok(());
    }
    Err(StockRejection::TtlOutOfRange { max_seconds: MAX_HOLD_TTL.as_secs() }.into())
}
