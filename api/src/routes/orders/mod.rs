pub mod cancel;
pub mod list;
pub mod read;
pub mod transition;

use smartcart_domain::{
    id::OrderId,
    idempotency::{Caller, KeyFingerprint},
    orders::{Order, OrderStatus},
};

use crate::{
    app_state::AppState,
    json,
    problem::{Code, Problem},
    reply::{Durability, Reply},
    views::OrderView,
};

/// The order, if it is this caller's to see: a guest's order belongs to whoever knows its id, as the cart did.
async fn visible(state: &AppState, id: OrderId, caller: Caller) -> Result<Order, Problem> {
    let order = state.engine.store().order(id).await?;
    order.filter(|order| may_see(order, caller)).ok_or_else(|| Problem::plain(Code::OrderNotFound))
}

fn may_see(order: &Order, caller: Caller) -> bool {
    match caller {
        Caller::Service | Caller::Engine => true,
        Caller::User(user) => order.user.is_none_or(|owner| owner == user),
        Caller::Guest => order.user.is_none(),
    }
}

async fn turn(
    state: &AppState,
    id: OrderId,
    to: OrderStatus,
    expected: Option<u64>,
    key: Option<KeyFingerprint>,
) -> Result<Reply, Problem> {
    let written = state.engine.transition_order(id, to, expected, key).await?;
    Ok(Reply::ok(json::encode(&OrderView::new(&written.value)))
        .version(written.value.version)
        .durable(Durability::Committed, written.replayed))
}
