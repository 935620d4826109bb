use std::sync::Arc;

use axum::{extract::State, http::HeaderMap};

use super::account;
use crate::{
    auth::Identity,
    problem::Problem,
    reply::{self, Reply},
    shop::Shop,
    views::UserView,
};

/// Read one's own account
#[utoipa::path(
    get, path = "/v1/users/me", tag = "users", operation_id = "read_me",
    responses((status = 200, description = "The account", body = UserView), (status = 304, description = "As you have it")),
)]
pub async fn read_me(
    State(shop): State<Arc<Shop>>,
    identity: Identity,
    headers: HeaderMap,
) -> Result<Reply, Problem> {
    let user = account(&shop, identity.shopper()?).await?;
    Ok(Reply::read(&headers, user.version, || reply::encode(&UserView::new(&user))))
}
