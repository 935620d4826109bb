use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::id::OrderId;

use super::visible;
use crate::{
    app_state::AppState, auth::Identity, etag::KnownVersions, extract::PathId, json, problem::Problem,
    reply::Reply, views::OrderView,
};

/// Read an order
#[utoipa::path(
    get, path = "/v1/orders/{id}", tag = "orders", operation_id = "read_order",
    params(("id" = String, Path, description = "The order's id")),
    responses((status = 200, description = "The order", body = OrderView), (status = 304, description = "As you have it")),
)]
pub async fn read_order(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<OrderId>,
    identity: Identity,
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let order = visible(&state, id, identity.caller).await?;
    Ok(Reply::read(&known, order.version, || json::encode(&OrderView::new(&order))))
}
