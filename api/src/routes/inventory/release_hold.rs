use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{id::HoldId, inventory::StockCommand};

use super::{ask, hold_key, known_sku};
use crate::{
    app_state::AppState,
    extract::{Change, Nothing, PathId, PathSku},
    problem::Problem,
    reply::{Durability, Reply},
};

/// Release a hold
#[utoipa::path(
    delete, path = "/v1/inventory/{sku}/holds/{id}", tag = "inventory", operation_id = "release_hold",
    params(("sku" = String, Path, description = "The SKU"), ("id" = String, Path, description = "The hold's id")),
    responses((status = 204, description = "The units are free again")),
)]
pub async fn release_hold(
    State(state): State<Arc<AppState>>,
    PathSku(sku): PathSku,
    PathId(id): PathId<HoldId>,
    change: Change<Nothing>,
) -> Result<Reply, Problem> {
    let sku = known_sku(&state, &sku, change.caller())?;
    let key = hold_key(&change, id);
    let answer = ask(&state, &sku, &change, key, StockCommand::ReleaseHold { id }).await?;
    Ok(Reply::no_content().durable(Durability::Journaled, answer.replayed))
}
