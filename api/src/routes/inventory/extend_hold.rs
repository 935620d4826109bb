use std::{sync::Arc, time::Duration};

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{id::HoldId, inventory::StockCommand};
use utoipa::ToSchema;

use super::{ask, hold_json, hold_key, known_sku};
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathId, PathSku},
    problem::Problem,
    reply::{Durability, Reply},
    views::HoldView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendHold {
    /// From now: 1 s to a day.
    #[schema(minimum = 1, example = 600)]
    ttl_seconds: u64,
}

/// Extend a hold
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/holds/{id}/extend", tag = "inventory", operation_id = "extend_hold",
    params(("sku" = String, Path, description = "The SKU"), ("id" = String, Path, description = "The hold's id")),
    request_body = ExtendHold,
    responses((status = 200, description = "The hold", body = HoldView)),
)]
pub async fn extend_hold(
    State(state): State<Arc<AppState>>,
    PathSku(sku): PathSku,
    PathId(id): PathId<HoldId>,
    change: Change<Json<ExtendHold>>,
) -> Result<Reply, Problem> {
    let sku = known_sku(&state, &sku, change.caller())?;
    let command = StockCommand::ExtendHold { id, ttl: Duration::from_secs(change.body.0.ttl_seconds) };
    let answer = ask(&state, &sku, &change, hold_key(&change, id), command).await?;
    let (_, json) = hold_json(&state, &sku, &answer.outcome)?;
    Ok(Reply::ok(json).durable(Durability::Journaled, answer.replayed))
}
