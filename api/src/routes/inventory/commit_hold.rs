use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{id::HoldId, inventory::StockCommand};

use super::{ask, changed, guard_of_hold, known_sku};
use crate::{
    extract::{Change, Nothing, PathId, PathSku},
    problem::Problem,
    reply::Reply,
    shop::Shop,
    views::StockView,
};

/// Sell what is held
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/holds/{id}/commit", tag = "inventory", operation_id = "commit_hold",
    params(("sku" = String, Path, description = "The SKU"), ("id" = String, Path, description = "The hold's id")),
    responses((status = 200, description = "The stock that is left", body = StockView)),
)]
pub async fn commit_hold(
    State(shop): State<Arc<Shop>>,
    PathSku(sku): PathSku,
    PathId(id): PathId<HoldId>,
    change: Change<Nothing>,
) -> Result<Reply, Problem> {
    let sku = known_sku(&shop, &sku, change.caller())?;
    let key = guard_of_hold(&change, id);
    Ok(changed(&sku, &ask(&shop, &sku, &change, key, StockCommand::CommitHold { id }).await?))
}
