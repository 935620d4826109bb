use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::id::CartId;

use super::kept_json;
use crate::{
    app_state::AppState,
    auth::Identity,
    etag::KnownVersions,
    extract::PathId,
    problem::{Code, Problem},
    reply::Reply,
    views::CartView,
};

/// Read a cart
#[utoipa::path(
    get, path = "/v1/carts/{id}", tag = "carts", operation_id = "read_cart",
    params(("id" = String, Path, description = "The cart's id")),
    responses((status = 200, description = "The cart", body = CartView), (status = 304, description = "As you have it")),
)]
pub async fn read_cart(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<CartId>,
    identity: Identity,
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let cart = state.engine.carts().read(&id).await?;
    let cart = cart
        .filter(|cart| cart.view().may_be_changed_by(identity.caller))
        .ok_or_else(|| Problem::plain(Code::CartNotFound))?;
    Ok(Reply::read_rendition(&known, cart.view().version, kept_json(&state, &cart)))
}
