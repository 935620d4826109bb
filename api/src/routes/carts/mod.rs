pub mod add_item;
pub mod batch;
pub mod checkout;
pub mod clear;
pub mod create;
pub mod mine;
pub mod read;
pub mod remove_item;
pub mod set_item;

use smartcart_domain::{
    cart::{Cart, CartCommand},
    id::CartId,
    request::Request,
};
use smartcart_engine::published::{Answer, Encoding, Published};

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
    let Encoding { body, rendition } = fresh_json(state, answer);
    Reply::ok(body)
        .rendition(answer.published.view().version, rendition)
        .durable(Durability::Journaled, answer.replayed)
}

/// Not kept: most states of a cart are asked for once, by whoever made them.
fn fresh_json(state: &AppState, answer: &Answer<Cart>) -> Encoding {
    cart_json(answer.published.view(), &state.engine.glance_at_catalog(), state.engine.clock().wall())
}

/// Kept for the next reader.
fn kept_json(state: &AppState, published: &Published<Cart>) -> Encoding {
    let (cart, catalog, now) =
        (published.view(), state.engine.glance_at_catalog(), state.engine.clock().wall());
    if cart.expires_at <= now {
        // Time alone has changed what it looks like: the kept JSON says otherwise.
        return cart_json(cart, &catalog, now);
    }
    published.encoded(catalog.generation(), |cart| cart_json(cart, &catalog, now))
}
