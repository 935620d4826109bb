use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{cart::CartCommand, id::CartId};

use super::{ask, changed};
use crate::{
    app_state::AppState,
    extract::{Change, Nothing, PathId, PathSku, SkuText},
    problem::Problem,
    reply::Reply,
    views::CartView,
};

/// Remove a line
#[utoipa::path(
    delete, path = "/v1/carts/{id}/items/{sku}", tag = "carts", operation_id = "remove_cart_item",
    params(("id" = String, Path, description = "The cart's id"), ("sku" = String, Path, description = "The SKU")),
    responses((status = 200, description = "The cart", body = CartView)),
)]
pub async fn remove_item(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<CartId>,
    PathSku(sku): PathSku,
    change: Change<Nothing>,
) -> Result<Reply, Problem> {
    let sku = SkuText(sku).resolve(&state.engine.catalog())?;
    Ok(changed(&state, &ask(&state, id, &change, CartCommand::RemoveItem { sku }).await?))
}
