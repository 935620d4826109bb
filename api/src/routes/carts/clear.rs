use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{cart::CartCommand, id::CartId};

use super::ask;
use crate::{
    app_state::AppState,
    extract::{Change, Nothing, PathId},
    problem::Problem,
    reply::{Durability, Reply},
};

/// Remove every line
#[utoipa::path(
    delete, path = "/v1/carts/{id}", tag = "carts", operation_id = "clear_cart",
    params(("id" = String, Path, description = "The cart's id")),
    responses((status = 204, description = "The cart is empty")),
)]
pub async fn clear_cart(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<CartId>,
    change: Change<Nothing>,
) -> Result<Reply, Problem> {
    let answer = ask(&state, id, &change, CartCommand::Clear).await?;
    Ok(Reply::no_content()
        .version(answer.published.view().version)
        .durable(Durability::Journaled, answer.replayed))
}
