use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{app_state::AppState, auth::Identity, problem::Problem};

impl FromRequestParts<Arc<AppState>> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, Problem> {
        state.auth.identify(&parts.headers, state.engine.clock().wall())
    }
}
