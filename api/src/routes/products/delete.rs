use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::id::ProductId;
use smartcart_engine::store::StoreError;

use crate::{
    app_state::AppState,
    extract::{Change, Nothing, PathId, Service},
    problem::{Code, Problem},
    reply::{Durability, Reply},
};

/// Take a product out of the catalogue
///
/// Its stock stays, and so do orders of it. Needs a service token.
#[utoipa::path(
    delete, path = "/v1/products/{id}", tag = "products", operation_id = "delete_product",
    security(("service" = [])),
    params(("id" = String, Path, description = "The product's id")),
    responses((status = 204, description = "It is no longer sold")),
)]
pub async fn delete_product(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<ProductId>,
    change: Change<Nothing, Service>,
) -> Result<Reply, Problem> {
    let written = state.engine.delete_product(&id, change.expected, change.fingerprint()).await;
    match written {
        Ok(written) => Ok(Reply::no_content().durable(Durability::Committed, written.replayed)),
        Err(StoreError::NotFound) => Err(Problem::plain(Code::ProductNotFound)),
        Err(error) => Err(error.into()),
    }
}
