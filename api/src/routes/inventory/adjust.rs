use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::inventory::StockCommand;
use utoipa::ToSchema;

use super::{ask, changed, known_sku};
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathSku, Service},
    problem::Problem,
    reply::Reply,
    routes::users::must_be_a_line,
    views::StockView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Adjust {
    /// Units that come (or go, when negative).
    #[schema(example = 24)]
    delta: i64,
    /// The shop's own word for why: 1 to 200 characters.
    #[schema(example = "delivery", min_length = 1, max_length = 200)]
    reason: String,
}

/// Adjust what is on hand
///
/// For a delivery or a breakage. Needs a service token.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/adjustments", tag = "inventory", operation_id = "adjust_stock",
    security(("service" = [])),
    params(("sku" = String, Path, description = "The SKU")),
    request_body = Adjust,
    responses((status = 200, description = "The stock", body = StockView)),
)]
pub async fn adjust_stock(
    State(state): State<Arc<AppState>>,
    PathSku(sku): PathSku,
    change: Change<Json<Adjust>, Service>,
) -> Result<Reply, Problem> {
    let sku = known_sku(&state, &sku, change.caller())?;
    let Json(Adjust { delta, reason }) = &change.body;
    must_be_a_line("reason", reason, 200)?;
    let command = StockCommand::Adjust { delta: *delta, reason: reason.as_str().into() };
    Ok(changed(
        &state,
        change.caller(),
        &sku,
        &ask(&state, &sku, &change, change.fingerprint(), command).await?,
    ))
}
