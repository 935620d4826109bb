use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{cart::CartCommand, id::CartId};
use utoipa::ToSchema;

use super::{ask, changed};
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathId, PathSku, SkuText},
    problem::Problem,
    reply::Reply,
    views::CartView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetItem {
    /// 0 removes the line.
    #[schema(example = 3)]
    quantity: u32,
}

/// Set a line's quantity
#[utoipa::path(
    put, path = "/v1/carts/{id}/items/{sku}", tag = "carts", operation_id = "set_cart_item",
    params(("id" = String, Path, description = "The cart's id"), ("sku" = String, Path, description = "The SKU")),
    request_body = SetItem,
    responses((status = 200, description = "The cart", body = CartView)),
)]
pub async fn set_item(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<CartId>,
    PathSku(sku): PathSku,
    change: Change<Json<SetItem>>,
) -> Result<Reply, Problem> {
    let catalog = state.engine.catalog();
    let sku = SkuText(sku).resolve(&catalog)?;
    let command = CartCommand::SetItem { sku, quantity: change.body.0.quantity, catalog };
    Ok(changed(&state, &ask(&state, id, &change, command).await?))
}
