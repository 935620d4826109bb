//! `/openapi.json`, and a page to read it.

use std::sync::Arc;

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::app_state::AppState;

pub fn pages(description: OpenApi) -> Router<Arc<AppState>> {
    let config = Config::default().try_it_out_enabled(true).use_base_layout();
    SwaggerUi::new("/docs").url("/openapi.json", description).config(config).into()
}
