use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{cart::CartCommand, id::CartId};
use utoipa::ToSchema;

use super::{ask, changed};
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathId, SkuText},
    problem::Problem,
    reply::Reply,
    views::CartView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddItem {
    sku: SkuText,
    /// 1 to 999 (the shop's limit for a line).
    #[schema(minimum = 1, example = 2)]
    quantity: u32,
}

/// Add to a cart
///
/// Adding commutes: two that add at the same time both count.
#[utoipa::path(
    post, path = "/v1/carts/{id}/items", tag = "carts", operation_id = "add_cart_item",
    params(("id" = String, Path, description = "The cart's id")),
    request_body = AddItem,
    responses((status = 200, description = "The cart", body = CartView)),
)]
pub async fn add_item(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<CartId>,
    change: Change<Json<AddItem>>,
) -> Result<Reply, Problem> {
    let catalog = state.engine.catalog();
    let Json(AddItem { sku, quantity }) = &change.body;
    let command = CartCommand::AddItem { sku: sku.resolve(&catalog)?, quantity: *quantity, catalog };
    Ok(changed(&state, &ask(&state, id, &change, command).await?))
}
