pub mod create;
pub mod end;
pub mod refresh;

use bytes::Bytes;
use smartcart_domain::users::{Session, User};

use crate::{
    problem::Problem,
    reply,
    shop::Shop,
    views::{TokensView, UserView},
};

/// The tokens of a session at its present generation.
fn tokens_json(shop: &Shop, user: &User, session: &Session) -> Result<Bytes, Problem> {
    let access = &shop.auth.access;
    let access_token = access
        .issue(user.id, session.id, shop.engine.clock().wall())
        .map_err(|error| Problem::internal(&error))?;
    Ok(reply::encode(&TokensView {
        access_token: &access_token,
        token_type: "Bearer",
        expires_in: access.lifetime().as_secs(),
        refresh_token: &shop.auth.refresh.issue(session.id, session.generation),
        user: UserView::new(user),
    }))
}
