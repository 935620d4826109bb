pub mod add_item;
pub mod batch;
pub mod checkout;
pub mod clear;
pub mod create;
pub mod mine;
pub mod read;
pub mod remove_item;
pub mod set_item;

use bytes::Bytes;
use smartcart_domain::{
    cart::{Cart, CartCommand},
    id::CartId,
    request::Request,
};
use smartcart_engine::published::{Answer, Published};

use crate::{
    app_state::AppState,
    extract::Change,
    problem::Problem,
    reply::{Durability, Reply},
    views::cart_json,
};

/// Hands a command to the cart, for whoever asks.
async fn ask<P>(
    state: &AppState,
    id: CartId,
    change: &Change<P>,
    command: CartCommand,
) -> Result<Answer<Cart>, Problem> {
    let request = Request {
        command,
        caller: change.caller(),
        key: change.fingerprint(),
        expected: change.expected,
        fresh: false,
    };
    Ok(state.engine.carts().ask(&id, request).await?)
}

/// The cart after a change.
fn changed(state: &AppState, answer: &Answer<Cart>) -> Reply {
    Reply::ok(fresh_json(state, answer))
        .version(answer.published.view().version)
        .durable(Durability::Journaled, answer.replayed)
}

/// Not kept: most states of a cart are asked for once, by whoever made them.
fn fresh_json(state: &AppState, answer: &Answer<Cart>) -> Bytes {
    cart_json(answer.published.view(), &state.engine.glance_at_catalog(), state.engine.clock().wall())
}

/// Kept for the next reader.
fn kept_json(state: &AppState, published: &Published<Cart>) -> Bytes {
    let (cart, catalog, now) =
        (published.view(), state.engine.glance_at_catalog(), state.engine.clock().wall());
    if cart.expires_at <= now {
        // Time alone has changed what it looks like: the kept JSON says otherwise.
        return cart_json(cart, &catalog, now);
    }
    published.encoded(catalog.generation(), |cart| cart_json(cart, &catalog, now))
}
