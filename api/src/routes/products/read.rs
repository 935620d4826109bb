use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::id::ProductId;

use crate::{
    app_state::AppState,
    etag::KnownVersions,
    extract::PathId,
    json,
    problem::{Code, Problem},
    reply::Reply,
    views::ProductView,
};

/// Read a product
#[utoipa::path(
    get, path = "/v1/products/{id}", tag = "products", operation_id = "read_product",
    params(("id" = String, Path, description = "The product's id")),
    responses((status = 200, description = "The product", body = ProductView), (status = 304, description = "As you have it")),
)]
pub async fn read_product(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<ProductId>,
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let catalog = state.engine.catalog();
    let product = catalog.product(&id).ok_or_else(|| Problem::plain(Code::ProductNotFound))?;
    Ok(Reply::read(&known, product.version, || json::encode(&ProductView::new(product))))
}
