use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{id::OrderId, orders::OrderStatus};
use utoipa::ToSchema;

use super::turn;
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathId, Service},
    problem::Problem,
    reply::Reply,
    views::{OrderStatusView, OrderView},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// `placed → paid → packed → shipped → delivered`, `cancelled`, `refunded`.
    #[schema(value_type = OrderStatusView, example = "packed")]
    to: OrderStatus,
}

/// Move an order on
///
/// Needs a service token.
#[utoipa::path(
    post, path = "/v1/orders/{id}/transitions", tag = "orders", operation_id = "transition_order",
    security(("service" = [])),
    params(("id" = String, Path, description = "The order's id")),
    request_body = Transition,
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 409, description = "`forbidden_transition`"),
    ),
)]
pub async fn transition_order(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<OrderId>,
    change: Change<Json<Transition>, Service>,
) -> Result<Reply, Problem> {
    turn(&state, id, change.body.0.to, change.expected, change.fingerprint()).await
}
