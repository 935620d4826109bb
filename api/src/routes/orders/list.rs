use std::sync::Arc;

use axum::extract::State;
use smartcart_domain::idempotency::Caller;

use crate::{
    app_state::AppState,
    auth::Identity,
    etag::KnownVersions,
    extract::{Cursor, PageQuery, Query},
    problem::{Code, Problem, both},
    reply::Reply,
    views::{ListView, OrderView, Page},
};

/// List orders
///
/// The signed-in shopper's, newest first; with a service token everybody's.
#[utoipa::path(
    get, path = "/v1/orders", tag = "orders", operation_id = "list_orders",
    security(("bearer" = [])),
    params(PageQuery),
    responses(
        (status = 200, description = "Orders", body = ListView<OrderView>),
        (status = 304, description = "As you have it"),
    ),
)]
pub async fn list_orders(
    State(state): State<Arc<AppState>>,
    identity: Identity,
    known: KnownVersions,
    Query(page): Query<PageQuery>,
) -> Result<Reply, Problem> {
    let user = match identity.caller {
        Caller::User(user) => Some(user),
        Caller::Service | Caller::Engine => None,
        Caller::Guest => return Err(Problem::plain(Code::AuthenticationRequired)),
    };
    let (limit, before) = both(page.limit(), Cursor::read(page.cursor.as_deref()))?;
    let orders = state.engine.store().orders(user, before, limit + 1).await?;
    let page = Page::of(orders, limit);
    let json = page.encode(OrderView::new, |order| (order.placed_at, order.id).encode());
    Ok(Reply::read_content(&known, json))
}
