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
    views::StockView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetOnHand {
    /// Units on the shelf, held ones included.
    #[schema(minimum = 0, example = 100)]
    on_hand: i64,
}

/// Set what is on hand
///
/// For a count of the shelf. Needs a service token.
#[utoipa::path(
    put, path = "/v1/inventory/{sku}", tag = "inventory", operation_id = "set_on_hand",
    security(("service" = [])),
    params(("sku" = String, Path, description = "The SKU")),
    request_body = SetOnHand,
    responses((status = 200, description = "The stock", body = StockView)),
)]
pub async fn set_on_hand(
    State(state): State<Arc<AppState>>,
    PathSku(sku): PathSku,
    change: Change<Json<SetOnHand>, Service>,
) -> Result<Reply, Problem> {
    let sku = known_sku(&state, &sku, change.caller())?;
    let command = StockCommand::SetOnHand { on_hand: change.body.0.on_hand };
    Ok(changed(
        &state,
        change.caller(),
        &sku,
        &ask(&state, &sku, &change, change.fingerprint(), command).await?,
    ))
}
