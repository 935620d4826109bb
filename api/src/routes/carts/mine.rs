use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::{
    cart::{Cart, CartCommand, CartRejection, CartStatus},
    id::{CartId, UserId},
    idempotency::Caller,
    request::{Request, RequestError},
};
use smartcart_engine::published::Published;

use super::kept_json;
use crate::{
    app_state::AppState,
    auth::Identity,
    etag::KnownVersions,
    problem::{Code, Problem},
    reply::Reply,
    views::CartView,
};

/// Read the signed-in shopper's own cart
///
/// It is made on first use, it is the same one on every device, and once it has expired it begins again.
#[utoipa::path(
    get, path = "/v1/carts/mine", tag = "carts", operation_id = "read_my_cart",
    security(("bearer" = [])),
    responses((status = 200, description = "The cart", body = CartView), (status = 304, description = "As you have it")),
)]
pub async fn read_my_cart(
    State(state): State<Arc<AppState>>,
    identity: Identity,
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let cart = of_user(&state, identity.shopper()?).await?;
    Ok(Reply::read_rendition(&known, cart.view().version, kept_json(&state, &cart)))
}

async fn of_user(state: &AppState, user: UserId) -> Result<Arc<Published<Cart>>, Problem> {
    let carts = state.engine.carts();
    let id = CartId(state.engine.secret().derive("cart-of-user", &[&user.0.to_be_bytes()]));
    let now = state.engine.clock().wall();
    if let Some(cart) = carts.read(&id).await?.filter(|cart| cart.view().status(now) != CartStatus::Expired) {
        return Ok(cart);
    }
    let command = CartCommand::Create { currency: state.currency, owner: Some(user), metadata: None };
    let request = Request { command, caller: Caller::User(user), key: None, expected: None, fresh: false };
    match carts.ask(&id, request).await {
        Ok(answer) => Ok(answer.published),
        // Another of the shopper's devices was first.
        Err(RequestError::Rejected(CartRejection::AlreadyExists)) => {
            carts.read(&id).await?.ok_or_else(|| Problem::plain(Code::CartNotFound))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
