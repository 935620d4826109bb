use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::id::ProductId;

use super::body::ProductBody;
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathId, Service},
    json,
    problem::{Code, Problem},
    reply::{Durability, Reply},
    views::ProductView,
};

/// Write a product
///
/// Makes it, or replaces it whole. Needs a service token.
#[utoipa::path(
    put, path = "/v1/products/{id}", tag = "products", operation_id = "put_product",
    security(("service" = [])),
    params(("id" = String, Path, description = "The product's id")),
    request_body = ProductBody,
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 201, description = "The new product", body = ProductView),
        (status = 409, description = "`sku_taken`"),
    ),
)]
pub async fn put_product(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<ProductId>,
    change: Change<Json<ProductBody>, Service>,
) -> Result<Reply, Problem> {
    let (key, expected) = (change.fingerprint(), change.expected);
    let body = change.body.0;
    if body.id.as_ref().is_some_and(|named| *named != id) {
        return Err(Problem::new(Code::InvalidField, "id: the address names another product"));
    }
    let product = body.into_product(id, state.engine.clock().wall())?;
    let written = state.engine.put_product(&product, expected, key).await?;
    let product = &written.value;
    let json = json::encode(&ProductView::new(product));
    let reply = match product.version {
        1 => Reply::created(json, format!("/v1/products/{}", product.id)),
        _ => Reply::ok(json),
    };
    Ok(reply.version(product.version).durable(Durability::Committed, written.replayed))
}
