//! For each operation that changes something: a request of its own, and where what it changes can be seen.

use serde_json::{Value, json};

use super::storefront::{Storefront, email, place, product};
use crate::support::Request;

/// A change that touches nothing that another case looks at.
pub(super) struct Case {
    pub(super) request: Request,
    /// Whatever it changes, as it can be read.
    pub(super) views: Vec<Request>,
    /// What it answers, also when it is sent again.
    pub(super) status: u16,
}

impl Case {
    fn new(request: Request, views: Vec<Request>) -> Self {
        Self { request, views, status: 200 }
    }

    fn answered(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// What an operation does in more ways than one.
pub(super) fn variants(operation: &str) -> &'static [&'static str] {
    match operation {
        "refresh_session" => &["once", "stolen"],
        "import_products" => &["new", "moved"],
        _ => &[""],
    }
}

/// `name` is this case's alone.
pub(super) async fn prepare(shop: Storefront<'_>, operation: &str, variant: &str, name: &str) -> Case {
    let mut case = match operation {
        "create_cart"
        | "clear_cart"
        | "add_cart_item"
        | "set_cart_item"
        | "remove_cart_item"
        | "change_cart_in_batch"
        | "check_out" => of_carts(shop, operation, name).await,
        "set_on_hand" | "adjust_stock" | "place_hold" => of_stock(shop, operation, name).await,
        "release_hold" | "extend_hold" | "commit_hold" => of_holds(shop, operation, name).await,
        "import_products" | "put_product" | "delete_product" => {
            of_products(shop, operation, variant, name).await
        }
        "create_user" | "update_me" | "change_password" => of_users(shop, operation, name).await,
        "create_address" | "put_address" | "delete_address" => of_addresses(shop, operation, name).await,
        "create_session" | "refresh_session" | "end_session" => {
            of_sessions(shop, operation, variant, name).await
        }
        "cancel_order" | "transition_order" => of_orders(shop, operation, name).await,
        other => panic!("no client of {other} goes away here: give it a case"),
    };
    // Beyond guessing, as a guest's must be.
    case.request = case.request.key(&format!("{name}-0123456789abcdef0123456789abcdef"));
    case
}

fn get(path: impl Into<String>) -> Request {
    Request::new("GET", path)
}

async fn of_carts(shop: Storefront<'_>, operation: &str, name: &str) -> Case {
    let cart = shop.cart(name).await;
    let views = vec![get(&cart), shop.service("GET", format!("/v1/inventory/{name}"))];
    let line = format!("{cart}/items/{name}");
    let request = match operation {
        // It cannot be seen before its path is known.
        "create_cart" => return Case::new(Request::new("POST", "/v1/carts"), Vec::new()).answered(201),
        "clear_cart" => return Case::new(Request::new("DELETE", &cart), views).answered(204),
        "add_cart_item" => {
            Request::new("POST", format!("{cart}/items")).json(&json!({"sku": name, "quantity": 1}))
        }
        "set_cart_item" => Request::new("PUT", line).json(&json!({"quantity": 5})),
        "remove_cart_item" => Request::new("DELETE", line),
        "change_cart_in_batch" => {
            let operations = json!([{"op": "add", "sku": name, "quantity": 1}]);
            let batch = json!({"mode": "atomic", "operations": operations});
            Request::new("POST", format!("{cart}/batch")).json(&batch)
        }
        _ => {
            let checkout = Request::new("POST", format!("{cart}/checkout"));
            let request = checkout.json(&json!({"email": "ada@example.com"}));
            return Case::new(request, views).answered(201);
        }
    };
    Case::new(request, views)
}

async fn of_stock(shop: Storefront<'_>, operation: &str, name: &str) -> Case {
    shop.product(name).await;
    let path = format!("/v1/inventory/{name}");
    let views = vec![shop.service("GET", &path)];
    match operation {
        "set_on_hand" => Case::new(shop.service("PUT", path).json(&json!({"on_hand": 25})), views),
        "adjust_stock" => {
            let request = shop.service("POST", format!("{path}/adjustments"));
            Case::new(request.json(&json!({"delta": 5, "reason": "delivery"})), views)
        }
        _ => {
            let request = shop.service("POST", format!("{path}/holds"));
            Case::new(request.json(&json!({"quantity": 3})), views).answered(201)
        }
    }
}

async fn of_holds(shop: Storefront<'_>, operation: &str, name: &str) -> Case {
    shop.product(name).await;
    let path = format!("/v1/inventory/{name}");
    let placed = shop.service("POST", format!("{path}/holds")).json(&json!({"quantity": 3}));
    let hold = place(&shop.send(placed).await.is(201));
    let views = vec![shop.service("GET", path)];
    match operation {
        "release_hold" => Case::new(shop.service("DELETE", hold), views).answered(204),
        "extend_hold" => {
            let request = shop.service("POST", format!("{hold}/extend"));
            Case::new(request.json(&json!({"ttl_seconds": 1200})), views)
        }
        _ => Case::new(shop.service("POST", format!("{hold}/commit")), views),
    }
}

async fn of_products(shop: Storefront<'_>, operation: &str, variant: &str, name: &str) -> Case {
    let other = format!("{name}-other");
    shop.product(name).await;
    shop.product(&other).await;
    let cart = shop.cart_of_known(name).await;
    let path = format!("/v1/products/{name}");
    let views = vec![
        get(&path),
        get(format!("/v1/products/{other}")),
        get(format!("/v1/inventory/{name}")),
        get(cart),
    ];
    match operation {
        "put_product" => Case::new(shop.service("PUT", path).json(&product(name, &[name], 999)), views),
        "delete_product" => Case::new(shop.service("DELETE", path), views).answered(204),
        _ => {
            let rows = match variant {
                "new" => [product(name, &[name], 1), product(&other, &[&other], 2)],
                // Their SKUs change places.
                _ => [product(&other, &[name], 1), product(name, &[&other], 2)],
            };
            let text = rows.map(|row: Value| row.to_string()).join("\n");
            Case::new(shop.service("POST", "/v1/products/import").text("application/x-ndjson", text), views)
        }
    }
}

async fn of_users(shop: Storefront<'_>, operation: &str, name: &str) -> Case {
    if operation == "create_user" {
        let account = json!({"email": email(name), "password": "correct horse", "name": "Ada"});
        return Case::new(Request::new("POST", "/v1/users").json(&account), Vec::new()).answered(201);
    }
    let (here, there) = (shop.shopper(name).await, shop.session(name).await);
    let views = vec![me("GET", "", &here), me("GET", "", &there)];
    match operation {
        "update_me" => Case::new(me("PATCH", "", &here).json(&json!({"name": "Ada L."})), views),
        _ => {
            let change = json!({"current_password": "correct horse", "new_password": "battery staple"});
            Case::new(me("PUT", "/password", &here).json(&change), views).answered(204)
        }
    }
}

/// With the session's access token.
fn me(method: &'static str, path: &str, session: &Value) -> Request {
    bearer(Request::new(method, format!("/v1/users/me{path}")), session)
}

fn bearer(request: Request, session: &Value) -> Request {
    request.bearer(session["access_token"].as_str().unwrap())
}

async fn of_addresses(shop: Storefront<'_>, operation: &str, name: &str) -> Case {
    let session = shop.shopper(name).await;
    let home = json!({"address": {"city": "London"}});
    let added = shop.send(me("POST", "/addresses", &session).json(&home)).await.is(201);
    let views = vec![me("GET", "/addresses", &session)];
    let path = place(&added);
    match operation {
        "create_address" => Case::new(me("POST", "/addresses", &session).json(&home), views).answered(201),
        "put_address" => {
            let moved = json!({"address": {"city": "Turin"}});
            Case::new(bearer(Request::new("PUT", path), &session).json(&moved), views)
        }
        _ => Case::new(bearer(Request::new("DELETE", path), &session), views).answered(204),
    }
}

async fn of_sessions(shop: Storefront<'_>, operation: &str, variant: &str, name: &str) -> Case {
    let session = shop.shopper(name).await;
    let views = vec![me("GET", "", &session)];
    let refresh_of = |session: &Value| {
        Request::new("POST", "/v1/sessions/refresh").json(&json!({"refresh_token": session["refresh_token"]}))
    };
    let refresh = || refresh_of(&session);
    match (operation, variant) {
        ("create_session", _) => {
            let credentials = json!({"email": email(name), "password": "correct horse"});
            Case::new(Request::new("POST", "/v1/sessions").json(&credentials), views).answered(201)
        }
        ("refresh_session", "once") => Case::new(refresh(), views),
        ("refresh_session", _) => {
            let next = shop.send(refresh()).await.is(200).json();
            shop.send(refresh_of(&next)).await.is(200);
            // Who comes with a token that is two old is no second tab, and ends the session.
            Case::new(refresh(), views).answered(401)
        }
        _ => {
            let request = bearer(Request::new("DELETE", "/v1/sessions/current"), &session);
            Case::new(request, views).answered(204)
        }
    }
}

async fn of_orders(shop: Storefront<'_>, operation: &str, name: &str) -> Case {
    let order = shop.order(name).await;
    let views = vec![shop.service("GET", &order), shop.service("GET", format!("/v1/inventory/{name}"))];
    match operation {
        "cancel_order" => Case::new(shop.service("POST", format!("{order}/cancel")), views),
        _ => {
            let request = shop.service("POST", format!("{order}/transitions"));
            Case::new(request.json(&json!({"to": "paid"})), views)
        }
    }
}
