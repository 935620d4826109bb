use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{id::OrderId, orders::OrderStatus};

use super::{turn, visible};
use crate::{
    app_state::AppState,
    extract::{Change, Nothing, PathId},
    problem::Problem,
    reply::Reply,
    views::OrderView,
};

/// Cancel an order
///
/// Until it is shipped. Its units go back on their shelves.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", tag = "orders", operation_id = "cancel_order",
    params(("id" = String, Path, description = "The order's id")),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 409, description = "`forbidden_transition`"),
    ),
)]
pub async fn cancel_order(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<OrderId>,
    change: Change<Nothing>,
) -> Result<Reply, Problem> {
    visible(&state, id, change.caller()).await?;
    turn(&state, id, OrderStatus::Cancelled, change.expected, cancel_key(&change, id)).await
}

/// The key is the order's alone, since every guest is the same caller.
fn cancel_key(
    change: &Change<Nothing>,
    id: OrderId,
) -> Option<smartcart_domain::idempotency::KeyFingerprint> {
    change.key.clone().map(|key| key.within(id).fingerprint(change.caller()))
}
