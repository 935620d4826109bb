use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::idempotency::Caller;

use super::{availability_json, known_sku, stock_json};
use crate::{
    app_state::AppState,
    auth::Identity,
    etag::KnownVersions,
    extract::PathSku,
    problem::{Code, Problem},
    reply::Reply,
    views::StockAnswer,
};

/// Read a SKU's stock
#[utoipa::path(
    get, path = "/v1/inventory/{sku}", tag = "inventory", operation_id = "read_stock",
    params(("sku" = String, Path, description = "The SKU")),
    responses(
        (status = 200, description = "The stock to a service; to everybody else, what is available", body = StockAnswer),
        (status = 304, description = "As you have it"),
    ),
)]
pub async fn read_stock(
    State(state): State<Arc<AppState>>,
    PathSku(text): PathSku,
    identity: Identity,
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let sku = known_sku(&state, &text, identity.caller)?;
    let stock = state.engine.inventory().read(&sku).await?;
    let level = stock.map(|stock| *stock.view()).unwrap_or_default();
    if level.version == 0 && state.engine.catalog().listing(&sku).is_none() {
        return Err(Problem::plain(Code::SkuNotFound));
    }
    if identity.caller == Caller::Service {
        return Ok(Reply::read(&known, level.version, || stock_json(&sku, &level)));
    }
    // The tag is the content's: the version counts every hold and every sale.
    Ok(Reply::read_content(&known, availability_json(&state, &sku, &level)))
}
