use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{catalog::Product, id::ProductId, idempotency::KeyFingerprint};
use smartcart_engine::store::{StoreError, Written};

use super::body::ProductBody;
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathId, Service},
    json,
    problem::{FieldCode, Problem},
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
    let (key, expected, must_exist) = (change.fingerprint(), change.expected, change.must_exist);
    let body = change.body.0;
    if body.id.as_ref().is_some_and(|named| *named != id) {
        return Err(Problem::invalid("id", FieldCode::Invalid, "the address names another product"));
    }
    let product = body.into_product(id, state.engine.clock().wall())?;
    let known = state.engine.catalog().product(&product.id).map(|known| known.version);
    let written = if must_exist {
        change_only(&state, &product, known, key).await?
    } else {
        state.engine.put_product(&product, expected, key).await?
    };
    // A replay says what its change said; of a product that came back, it is a change of it.
    let is_new = if written.replayed { written.value.version == 1 } else { known.is_none() };
    let product = &written.value;
    let json = json::encode(&ProductView::new(product));
    let reply =
        if is_new { Reply::created(json, format!("/v1/products/{}", product.id)) } else { Reply::ok(json) };
    Ok(reply.version(product.version).durable(Durability::Committed, written.replayed))
}

/// `If-Match: *`: whatever version it is at, as long as it is there.
async fn change_only(
    state: &AppState,
    product: &Product,
    known: Option<u64>,
    key: Option<KeyFingerprint>,
) -> Result<Written<Product>, StoreError> {
    // No product is ever at the last version that there can be.
    let mut version = known.unwrap_or(u64::MAX);
    loop {
        match state.engine.put_product(product, Some(version), key).await {
            Err(StoreError::Stale { version: now }) if now != 0 => version = now,
            written => return written,
        }
    }
}
