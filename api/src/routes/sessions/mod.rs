pub mod create;
pub mod end;
pub mod refresh;

use bytes::Bytes;
use smartcart_domain::users::{Session, User};

use crate::{
    app_state::AppState,
    json,
    problem::Problem,
    views::{TokensView, UserView},
};

/// The tokens of a session at its present generation.
fn tokens_json(state: &AppState, user: &User, session: &Session) -> Result<Bytes, Problem> {
    let access = &state.auth.access;
    let access_token = access
        .issue(user.id, session.id, state.engine.clock().wall())
        .map_err(|error| Problem::internal(&error))?;
    Ok(json::encode(&TokensView {
        access_token: &access_token,
        token_type: "Bearer",
        expires_in: access.lifetime().as_secs(),
        refresh_token: &state.auth.refresh.issue(session.id, session.generation),
        user: UserView::new(user),
    }))
}
