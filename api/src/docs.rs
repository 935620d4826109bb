//! `/openapi.json`, and a page to read it.

use std::sync::Arc;

use axum::{Router, middleware::map_response, response::Response};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{app_state::AppState, cache_control};

pub fn pages(description: OpenApi) -> Router<Arc<AppState>> {
    let config = Config::default().try_it_out_enabled(true).use_base_layout();
    let pages: Router<Arc<AppState>> =
        SwaggerUi::new("/docs").url("/openapi.json", description).config(config).into();
    pages.layer(map_response(kept_by_anybody))
}

async fn kept_by_anybody(mut page: Response) -> Response {
    cache_control::say(page.headers_mut(), &cache_control::BY_ANYBODY);
    page
}
