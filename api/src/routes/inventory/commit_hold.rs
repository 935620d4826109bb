use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{id::HoldId, inventory::StockCommand};

use super::{ask, changed, hold_key, known_sku};
use crate::{
    app_state::AppState,
    extract::{Change, Nothing, PathId, PathSku},
    problem::Problem,
    reply::Reply,
    views::StockAnswer,
};

/// Sell what is held
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/holds/{id}/commit", tag = "inventory", operation_id = "commit_hold",
    params(("sku" = String, Path, description = "The SKU"), ("id" = String, Path, description = "The hold's id")),
    responses((status = 200, description = "The stock that is left", body = StockAnswer)),
)]
pub async fn commit_hold(
    State(state): State<Arc<AppState>>,
    PathSku(sku): PathSku,
    PathId(id): PathId<HoldId>,
    change: Change<Nothing>,
) -> Result<Reply, Problem> {
    let sku = known_sku(&state, &sku, change.caller())?;
    let key = hold_key(&change, id);
    Ok(changed(
        &state,
        change.caller(),
        &sku,
        &ask(&state, &sku, &change, key, StockCommand::CommitHold { id }).await?,
    ))
}
