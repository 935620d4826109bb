use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::id::ProductId;

use super::body::ProductBody;
use crate::{
    extract::{Change, Json, PathId},
    problem::{Code, Problem},
    reply::{self, Durability, Reply},
    shop::Shop,
    views::ProductView,
};

/// Write a product
///
/// Makes it, or replaces it whole. Needs a service token.
#[utoipa::path(
    put, path = "/v1/products/{id}", tag = "products", operation_id = "put_product",
    params(("id" = String, Path, description = "The product's id")),
    request_body = ProductBody,
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 201, description = "The new product", body = ProductView),
        (status = 409, description = "`sku_taken`"),
    ),
)]
pub async fn put_product(
    State(shop): State<Arc<Shop>>,
    PathId(id): PathId<ProductId>,
    change: Change<Json<ProductBody>>,
) -> Result<Reply, Problem> {
    change.identity.service()?;
    let (key, expected) = (change.guard(), change.expected);
    let body = change.body.0;
    if body.id.as_ref().is_some_and(|named| *named != id) {
        return Err(Problem::new(Code::InvalidField, "id: the address names another product"));
    }
    let product = body.into_product(id, shop.engine.clock().wall())?;
    let written = shop.engine.put_product(&product, expected, key).await?;
    let product = &written.value;
    let json = reply::encode(&ProductView::new(product));
    let reply = match product.version {
        1 => Reply::created(json, format!("/v1/products/{}", product.id)),
        _ => Reply::ok(json),
    };
    Ok(reply.version(product.version).durable(Durability::Committed, written.replayed))
}
