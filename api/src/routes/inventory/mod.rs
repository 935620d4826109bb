pub mod adjust;
pub mod commit_hold;
pub mod extend_hold;
pub mod place_hold;
pub mod read;
pub mod release_hold;
pub mod set_on_hand;

use bytes::Bytes;
use smartcart_domain::{
    id::{HoldId, Sku},
    idempotency::{Caller, KeyFingerprint, Outcome},
    inventory::{Stock, StockCommand, StockLevel},
    request::Request,
};
use smartcart_engine::published::Answer;

use crate::{
    app_state::AppState,
    extract::{Change, resolve},
    json,
    problem::{Code, Problem},
    reply::{Durability, Reply},
    views::{AvailabilityView, HoldView, Rfc3339, StockView},
};

/// The SKU of this text. Only the shop itself may ask for one that the catalogue has not: nobody else can make us
/// look for, or remember, what does not exist.
fn known_sku(state: &AppState, text: &str, caller: Caller) -> Result<Sku, Problem> {
    let catalog = state.engine.catalog();
    let sku = match caller {
        Caller::Service => resolve(text, &catalog),
        Caller::Guest | Caller::User(_) | Caller::Engine => {
            catalog.find(text).map(|listing| listing.sku().clone())
        }
    };
    sku.ok_or_else(|| Problem::plain(Code::SkuNotFound))
}

async fn ask<P, A>(
    state: &AppState,
    sku: &Sku,
    change: &Change<P, A>,
    key: Option<KeyFingerprint>,
    command: StockCommand,
) -> Result<Answer<Stock>, Problem> {
    if change.must_exist && state.engine.inventory().read(sku).await?.is_none_or(|stock| stock.version() == 0)
    {
        return Err(Problem::stale(0));
    }
    let request = Request { command, caller: change.caller(), key, expected: change.expected, fresh: false };
    let answer = state.engine.inventory().ask(sku, request).await;
    answer.map_err(|refusal| Problem::from(refusal).told_to(change.caller(), state.disclosure))
}

/// The key of a change to one hold: it is the hold's alone, since every guest is the same caller.
fn hold_key<P, A>(change: &Change<P, A>, hold: HoldId) -> Option<KeyFingerprint> {
    change.key.clone().map(|key| key.within(hold).fingerprint(change.caller()))
}

fn stock_json(sku: &Sku, level: &StockLevel) -> Bytes {
    json::encode(&StockView::new(sku.as_str(), level))
}

/// The stock after a change, as its caller may see it.
fn changed(state: &AppState, caller: Caller, sku: &Sku, answer: &Answer<Stock>) -> Reply {
    let level = answer.published.view();
    let reply = match caller {
        Caller::Service => Reply::ok(stock_json(sku, level)).version(level.version),
        Caller::Guest | Caller::User(_) | Caller::Engine => Reply::ok(availability_json(state, sku, level)),
    };
    reply.durable(Durability::Journaled, answer.replayed)
}

fn availability_json(state: &AppState, sku: &Sku, level: &StockLevel) -> Bytes {
    json::encode(&AvailabilityView::new(sku.as_str(), level, state.disclosure))
}

/// The hold that a change answered.
fn hold_json(state: &AppState, sku: &Sku, outcome: &Outcome) -> Result<(HoldId, Bytes), Problem> {
    let Outcome::Hold { id, quantity, deadline } = *outcome else {
        return Err(Problem::internal(&format_args!("a hold ended as {outcome:?}")));
    };
    let expires_at = Rfc3339(state.engine.clock().wall_of(deadline));
    Ok((id, json::encode(&HoldView { id, sku: sku.as_str(), quantity, expires_at })))
}
