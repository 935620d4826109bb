use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{cart::CartCommand, id::CartId};

use super::{ask, changed};
use crate::{
    extract::{Change, Nothing, PathId, PathSku, SkuText},
    problem::Problem,
    reply::Reply,
    shop::Shop,
    views::CartView,
};

/// Remove a line
#[utoipa::path(
    delete, path = "/v1/carts/{id}/items/{sku}", tag = "carts", operation_id = "remove_cart_item",
    params(("id" = String, Path, description = "The cart's id"), ("sku" = String, Path, description = "The SKU")),
    responses((status = 200, description = "The cart", body = CartView)),
)]
pub async fn remove_item(
    State(shop): State<Arc<Shop>>,
    PathId(id): PathId<CartId>,
    PathSku(sku): PathSku,
    change: Change<Nothing>,
) -> Result<Reply, Problem> {
    let sku = SkuText(sku).resolve(&shop.engine.catalog())?;
    Ok(changed(&shop, &ask(&shop, id, &change, CartCommand::RemoveItem { sku }).await?))
}
