use std::sync::Arc;

use axum::extract::State;

use super::account;
use crate::{
    auth::Identity,
    extract::KnownVersions,
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
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let user = account(&shop, identity.shopper()?).await?;
    Ok(Reply::read(&known, user.version, || reply::encode(&UserView::new(&user))))
}
