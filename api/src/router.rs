//! Every address of the service.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, on},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use crate::{
    app_state::AppState,
    docs,
    observe::{Observe, Runs},
    openapi,
    routes::{carts, inventory, method_not_allowed, not_found, orders, products, sessions, users},
    target::Target,
};

macro_rules! endpoints {
    ($deadline:ident, $target:ident: $($method:ident $path:literal => $handler:path,)*) => {{
        let mut router = OpenApiRouter::with_openapi(openapi::base());
        $(if $target.serves($path) {
            let watched = Observe::new(Method::$method, $path, $deadline, runs(&Method::$method, $path));
            let watched = watched.handler($handler);
            router = router.routes(endpoint(Method::$method, $path, routes!($handler), watched));
        })*
        router
    }};
}

/// Changes that are made by one question to an actor, which finishes it whatever becomes of whoever asked, or by the checkout's
/// own task: they need no further one, and an add is not to pay for it. Every other change is a task (docs/adr/0008).
const MADE_BY_ACTORS: [(Method, &str); 13] = [
    (Method::POST, "/v1/carts"),
    (Method::DELETE, "/v1/carts/{id}"),
    (Method::POST, "/v1/carts/{id}/items"),
    (Method::PUT, "/v1/carts/{id}/items/{sku}"),
    (Method::DELETE, "/v1/carts/{id}/items/{sku}"),
    (Method::POST, "/v1/carts/{id}/batch"),
    (Method::POST, "/v1/carts/{id}/checkout"),
    (Method::PUT, "/v1/inventory/{sku}"),
    (Method::POST, "/v1/inventory/{sku}/adjustments"),
    (Method::POST, "/v1/inventory/{sku}/holds"),
    (Method::DELETE, "/v1/inventory/{sku}/holds/{id}"),
    (Method::POST, "/v1/inventory/{sku}/holds/{id}/extend"),
    (Method::POST, "/v1/inventory/{sku}/holds/{id}/commit"),
];

fn runs(method: &Method, path: &str) -> Runs {
    if method.is_safe() || MADE_BY_ACTORS.iter().any(|made| made.0 == *method && made.1 == path) {
        Runs::WithItsClient
    } else {
        Runs::ToItsEnd
    }
}

/// A target's part of the public service, and its description. A request that is not answered within `deadline` is told so.
pub fn api(deadline: Duration, target: Target) -> (Router<Arc<AppState>>, OpenApi) {
    let (router, mut description) = endpoints! { deadline, target:
        POST   "/v1/carts" => carts::create::create_cart,
        GET    "/v1/carts/mine" => carts::mine::read_my_cart,
        GET    "/v1/carts/{id}" => carts::read::read_cart,
        DELETE "/v1/carts/{id}" => carts::clear::clear_cart,
        POST   "/v1/carts/{id}/items" => carts::add_item::add_item,
        PUT    "/v1/carts/{id}/items/{sku}" => carts::set_item::set_item,
        DELETE "/v1/carts/{id}/items/{sku}" => carts::remove_item::remove_item,
        POST   "/v1/carts/{id}/batch" => carts::batch::batch,
        POST   "/v1/carts/{id}/checkout" => carts::checkout::check_out,

        GET    "/v1/inventory/{sku}" => inventory::read::read_stock,
        PUT    "/v1/inventory/{sku}" => inventory::set_on_hand::set_on_hand,
        POST   "/v1/inventory/{sku}/adjustments" => inventory::adjust::adjust_stock,
        POST   "/v1/inventory/{sku}/holds" => inventory::place_hold::place_hold,
        DELETE "/v1/inventory/{sku}/holds/{id}" => inventory::release_hold::release_hold,
        POST   "/v1/inventory/{sku}/holds/{id}/extend" => inventory::extend_hold::extend_hold,
        POST   "/v1/inventory/{sku}/holds/{id}/commit" => inventory::commit_hold::commit_hold,

        GET    "/v1/products" => products::list::list_products,
        POST   "/v1/products/import" => products::import::import_products,
        GET    "/v1/products/{id}" => products::read::read_product,
        PUT    "/v1/products/{id}" => products::put::put_product,
        DELETE "/v1/products/{id}" => products::delete::delete_product,

        POST   "/v1/users" => users::create::create_user,
        GET    "/v1/users/me" => users::me::read_me,
        PATCH  "/v1/users/me" => users::update::update_me,
        PUT    "/v1/users/me/password" => users::password::change_password,
        GET    "/v1/users/me/addresses" => users::addresses::list_addresses,
        POST   "/v1/users/me/addresses" => users::addresses::create_address,
        PUT    "/v1/users/me/addresses/{id}" => users::addresses::put_address,
        DELETE "/v1/users/me/addresses/{id}" => users::addresses::delete_address,

        POST   "/v1/sessions" => sessions::create::create_session,
        POST   "/v1/sessions/refresh" => sessions::refresh::refresh_session,
        DELETE "/v1/sessions/current" => sessions::end::end_session,

        GET    "/v1/orders" => orders::list::list_orders,
        GET    "/v1/orders/{id}" => orders::read::read_order,
        POST   "/v1/orders/{id}/cancel" => orders::cancel::cancel_order,
        POST   "/v1/orders/{id}/transitions" => orders::transition::transition_order,
    }
    .split_for_parts();
    openapi::complete(&mut description);
    let router = router
        // `/openapi.json`, and `/docs` to read it.
        .merge(docs::pages(description.clone()))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    (router, description)
}

/// One endpoint: its description, and the handler that answers.
///
/// # Panics
/// When this page and the endpoint's own description disagree: then no server starts, and any test finds it.
fn endpoint<T: 'static>(
    method: Method,
    path: &'static str,
    (schemas, paths, _): UtoipaMethodRouter<Arc<AppState>>,
    handler: impl Handler<T, Arc<AppState>>,
) -> UtoipaMethodRouter<Arc<AppState>> {
    let described = &paths.paths;
    assert!(described.contains_key(path), "{method} {path} describes itself as {:?}", described.keys());
    let filter = MethodFilter::try_from(method).expect("a method that axum routes");
    (schemas, paths, on(filter, handler))
}
