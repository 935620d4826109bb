//! What a change may believe of the thing that it changes (RFC 9110, section 13), and what its key remembers of it.

use serde_json::{Value, json};

use crate::support::{Answer, Request, TestShop};

fn product(shop: &TestShop, id: &str, name: &str) -> Request {
    let body = json!({"name": name, "variants": [{"sku": format!("{id}-1"), "prices": []}]});
    shop.put(format!("/v1/products/{id}")).json(&body)
}

#[tokio::test]
async fn if_none_match_only_creates_and_if_match_only_changes() {
    let shop = TestShop::open().await;
    let only_new = |name: &str| product(&shop, "CUP", name).header("If-None-Match", "*");
    let only_old = |name: &str| product(&shop, "CUP", name).header("If-Match", "*");
    shop.send(only_old("Cup")).await.problem(412, "version_mismatch");
    shop.get("/v1/products/CUP").await.problem(404, "product_not_found");
    shop.send(only_new("Cup")).await.is(201);
    shop.send(only_new("Mug")).await.problem(412, "version_mismatch");
    assert_eq!(shop.get("/v1/products/CUP").await.json()["name"], "Cup");
    shop.send(only_old("Goblet")).await.is(200);
    assert_eq!(shop.get("/v1/products/CUP").await.json()["name"], "Goblet");
    shop.send(Request::new("DELETE", "/v1/products/CUP").bearer(&shop.token)).await.is(204);
    shop.send(only_old("Cup")).await.problem(412, "version_mismatch");

    let shelf =
        |condition: &str| shop.put("/v1/inventory/TEE-S").header(condition, "*").json(&json!({"on_hand": 5}));
    shop.send(shelf("If-Match")).await.problem(412, "version_mismatch");
    shop.send(shelf("If-None-Match")).await.is(200);
    shop.send(shelf("If-None-Match")).await.problem(412, "version_mismatch");
    shop.send(shelf("If-Match")).await.is(200);
}

#[tokio::test]
async fn whoever_named_no_version_is_never_told_of_another() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let add = Request::new("POST", "/v1/users/me/addresses").bearer(&ada).json(&json!({"address": {"n": 0}}));
    let place = shop.send(add).await.is(201).header("location").unwrap().to_owned();
    let change = |n: usize| {
        let (request, body) = match n % 3 {
            0 => (Request::new("PATCH", "/v1/users/me"), json!({"name": format!("Ada {n}")})),
            1 => (Request::new("PUT", place.clone()), json!({"address": {"n": n}})),
            _ => (
                shop.put("/v1/products/MUG"),
                json!({"name": format!("Mug {n}"), "variants": [{"sku": "MUG", "prices": []}]}),
            ),
        };
        let request = if n % 3 == 2 { request } else { request.bearer(&ada) };
        request.key(&format!("key-{n}")).json(&body)
    };
    let changes = (0..48).map(|n| shop.send(change(n)));
    for answer in futures_util::future::join_all(changes).await {
        answer.is(200);
    }
}

#[tokio::test]
async fn a_tag_stands_for_one_state_for_good() {
    let shop = TestShop::open().await;
    let tag = |answer: Answer| answer.header("etag").unwrap().to_owned();
    let first = tag(shop.send(product(&shop, "CUP", "Cup")).await.is(201));
    shop.send(Request::new("DELETE", "/v1/products/CUP").bearer(&shop.token)).await.is(204);
    let shop = shop.reopen().await;
    let second = tag(shop.send(product(&shop, "CUP", "Goblet")).await.is(201));
    assert_ne!(first, second);
    let known = Request::new("GET", "/v1/products/CUP").header("If-None-Match", &first);
    assert_eq!(shop.send(known).await.is(200).json()["name"], "Goblet");
    let stale = product(&shop, "CUP", "Cup").header("If-Match", &first);
    shop.send(stale).await.problem(412, "version_mismatch");
}

#[tokio::test]
async fn what_changes_nothing_keeps_the_version() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let add = Request::new("POST", "/v1/users/me/addresses").bearer(&ada).json(&json!({"address": {"n": 0}}));
    let place = shop.send(add).await.is(201).header("location").unwrap().to_owned();
    for keyed in [false, true] {
        let changes = [
            product(&shop, "CUP", "Cup"),
            Request::new("PATCH", "/v1/users/me").bearer(&ada).json(&json!({"name": "Ada"})),
            Request::new("PUT", place.clone()).bearer(&ada).json(&json!({"address": {"n": 0}})),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let send = async |again: usize| {
                let change = change.clone();
                let change = if keyed { change.key(&format!("key-{n}-{again}")) } else { change };
                shop.send(change).await
            };
            let first = send(0).await;
            let again = send(1).await.is(200);
            assert_eq!(first.header("etag"), again.header("etag"), "{change:?}");
            assert_eq!(again.header("idempotent-replayed"), None);
        }
    }
}

#[tokio::test]
async fn lists_have_tags_that_change_with_what_they_show() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let lists = ["/v1/products", "/v1/products?query=mug", "/v1/orders", "/v1/users/me/addresses"];
    let mut tags = Vec::new();
    for list in lists {
        let read = || Request::new("GET", list).bearer(&ada);
        let tag = shop.send(read()).await.is(200).header("etag").unwrap().to_owned();
        let known = shop.send(read().header("If-None-Match", &tag)).await.is(304);
        assert_eq!((known.header("etag"), known.body.len()), (Some(tag.as_str()), 0));
        tags.push(tag);
    }
    let body = json!({"name": "Mug", "variants": [{"sku": "MUG", "prices": []}]});
    shop.send(shop.put("/v1/products/MUG").json(&body)).await.is(200);
    let add = Request::new("POST", "/v1/users/me/addresses").bearer(&ada).json(&json!({"address": {"n": 0}}));
    shop.send(add).await.is(201);
    for (list, tag) in lists.into_iter().zip(&tags).filter(|(list, _)| *list != "/v1/orders") {
        let changed = Request::new("GET", list).bearer(&ada).header("If-None-Match", tag);
        shop.send(changed).await.is(200);
    }
}

/// One thing that several callers may change, and what a change of it answers.
struct Subject {
    name: &'static str,
    change: Request,
    /// Whom it lets.
    token: Option<String>,
}

/// Carts, stock, products, accounts and addresses, each with a change that has an effect every time.
async fn subjects(shop: &TestShop, ada: &str) -> Vec<Subject> {
    let cart = shop.cart().await;
    let add = Request::new("POST", "/v1/users/me/addresses").bearer(ada).json(&json!({"address": {"n": 0}}));
    let place = shop.send(add).await.is(201).header("location").unwrap().to_owned();
    let (service, ada) = (Some(shop.token.clone()), Some(ada.to_owned()));
    let subject = |name, method, path: String, body: Value, token: &Option<String>| Subject {
        name,
        change: Request::new(method, path).json(&body),
        token: token.clone(),
    };
    vec![
        subject("a cart", "POST", format!("{cart}/items"), json!({"sku": "MUG", "quantity": 1}), &None),
        subject("a line", "PUT", format!("{cart}/items/MUG"), json!({"quantity": 3}), &None),
        subject(
            "a stock",
            "POST",
            "/v1/inventory/MUG/adjustments".into(),
            json!({"delta": 1, "reason": "x"}),
            &service,
        ),
        subject("what is on hand", "PUT", "/v1/inventory/MUG".into(), json!({"on_hand": 77}), &service),
        subject(
            "a product",
            "PUT",
            "/v1/products/MUG".into(),
            json!({"name": "M", "variants": [{"sku": "MUG", "prices": [{"amount": 1, "currency": "GBP"}]}]}),
            &service,
        ),
        subject("an account", "PATCH", "/v1/users/me".into(), json!({"name": "Ada L."}), &ada),
        subject("an address", "PUT", place, json!({"address": {"n": 1}}), &ada),
    ]
}

/// Changes that have their effect once: what there is to end, to take away or to move on, made anew for each test.
async fn endings(shop: &TestShop, ada: &str) -> Vec<Subject> {
    let cart = shop.cart_with_mugs().await;
    let hold = async || {
        let hold = Request::new("POST", "/v1/inventory/MUG/holds").bearer(&shop.token);
        let hold = shop.send(hold.json(&json!({"quantity": 1}))).await.is(201);
        hold.header("location").unwrap().to_owned()
    };
    let order = async |key: &str| {
        let cart = shop.cart_with_mugs().await;
        let body = json!({"email": "ada@example.com"});
        let checkout = Request::new("POST", format!("{cart}/checkout")).key(key).json(&body);
        shop.send(checkout).await.is(201).header("location").unwrap().to_owned()
    };
    let add = Request::new("POST", "/v1/users/me/addresses").bearer(ada).json(&json!({"address": {"n": 0}}));
    let place = shop.send(add).await.is(201).header("location").unwrap().to_owned();
    let (service, ada) = (Some(shop.token.clone()), Some(ada.to_owned()));
    let password = json!({"current_password": "correct horse", "new_password": "battery staple"});
    let subject = |name, method, path: String, body: Value, token: &Option<String>| Subject {
        name,
        change: if body.is_null() {
            Request::new(method, path)
        } else {
            Request::new(method, path).json(&body)
        },
        token: token.clone(),
    };
    vec![
        subject("a line that goes", "DELETE", format!("{cart}/items/MUG"), Value::Null, &None),
        subject("an emptied cart", "DELETE", cart, Value::Null, &None),
        subject("a hold that goes", "DELETE", hold().await, Value::Null, &service),
        subject("a hold that is sold", "POST", format!("{}/commit", hold().await), Value::Null, &service),
        subject("a cancelled order", "POST", format!("{}/cancel", order("one").await), Value::Null, &service),
        subject(
            "a paid order",
            "POST",
            format!("{}/transitions", order("two").await),
            json!({"to": "paid"}),
            &service,
        ),
        subject("an address that goes", "DELETE", place, Value::Null, &ada),
        subject("a product that goes", "DELETE", "/v1/products/TEE".into(), Value::Null, &service),
        subject("a password", "PUT", "/v1/users/me/password".into(), password, &ada),
    ]
}

#[tokio::test]
async fn what_ends_something_is_done_once_for_its_key_and_at_its_version() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    for Subject { name, change, token } in endings(&shop, &ada).await {
        let by = |request: Request| match &token {
            Some(token) => request.bearer(token),
            None => request,
        };
        let keyed = || by(change.clone()).key(name.split(' ').next_back().unwrap());
        shop.send(keyed().header("If-Match", "\"999\"")).await.problem(412, "version_mismatch");
        shop.send(keyed().header("If-Match", "\"not-ours\"")).await.problem(412, "version_mismatch");
        shop.send(keyed().header("If-None-Match", "*")).await.problem(412, "version_mismatch");
        let made = shop.send(keyed().header("If-Match", "*")).await;
        assert!([200, 204].contains(&made.status), "{name}: {made:?}");
        assert_eq!(made.header("idempotent-replayed"), None, "{name}");
        let again = shop.send(keyed().header("If-Match", "*")).await;
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (made.status, Some("true")),
            "{name}"
        );
    }
}

/// Key × `If-Match` × caller, for each kind of thing that has versions.
#[tokio::test]
async fn a_key_an_if_match_and_a_caller_mean_the_same_everywhere() {
    for index in 0..7 {
        let shop = TestShop::open().await;
        let (ada, _) = shop.shopper("ada@example.com").await;
        let (eve, _) = shop.shopper("eve@example.com").await;
        let Subject { name, change, token } = subjects(&shop, &ada).await.swap_remove(index);
        let by = |request: Request| match &token {
            Some(token) => request.bearer(token),
            None => request,
        };
        let tag = |answer: &Answer| answer.header("etag").unwrap().to_owned();

        // Without a key and without a version: whatever it was.
        let first = shop.send(by(change.clone())).await.is(200);
        // Another version is refused, for a new key too, and the key is not used up by that.
        let stale = || by(change.clone()).header("If-Match", "\"999\"");
        shop.send(stale()).await.problem(412, "version_mismatch");
        let refused = shop.send(stale().key("k-stale")).await;
        assert_eq!(refused.header("etag").map(version), Some(version(&tag(&first))), "{name}");
        refused.problem(412, "version_mismatch");
        shop.send(by(change.clone()).key("k-stale").header("If-Match", &tag(&first))).await.is(200);
        // A replay comes before the version, which its own change has made another.
        let now = current(&shop, &by, &change, &tag(&first)).await;
        let keyed = || by(change.clone()).key("k").header("If-Match", &now);
        let made = shop.send(keyed()).await.is(200);
        assert_eq!(made.header("idempotent-replayed"), None, "{name}");
        let again = shop.send(keyed()).await.is(200);
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{name}");
        // Another request under the key is refused, whatever it believes.
        let other = by(other_request(&change)).key("k");
        shop.send(other).await.problem(422, "idempotency_key_reused");
        // Somebody else's key is another key, and somebody else is let in only where everybody is.
        let theirs = shop.send(change.clone().bearer(&eve).key("k").header("If-Match", "\"999\"")).await;
        assert_eq!(theirs.header("idempotent-replayed"), None, "{name}");
        assert!([403, 404, 412].contains(&theirs.status), "{name}: {theirs:?}");
        // What exists is changed by `If-Match: *`, and not by `If-None-Match: *`.
        shop.send(by(change.clone()).header("If-Match", "*")).await.is(200);
        shop.send(by(change.clone()).header("If-None-Match", "*")).await.problem(412, "version_mismatch");
        shop.send(by(change.clone()).header("If-Match", "W/\"1\"")).await.problem(412, "version_mismatch");
        shop.send(by(change).header("If-Match", "1")).await.problem(400, "invalid_header");
    }
}

/// The same change with another body that is as good.
fn other_request(change: &Request) -> Request {
    let mut body = change.sent();
    let swap = |value: &mut Value| match value {
        Value::Number(number) => *value = json!(number.as_u64().unwrap() + 1),
        Value::String(text) => text.push('x'),
        Value::Object(fields) => *value = json!({"another": fields.len()}),
        other => panic!("{other}"),
    };
    let field =
        ["quantity", "delta", "on_hand", "name", "address"].iter().find(|field| body.get(field).is_some());
    swap(&mut body[*field.unwrap()]);
    change.clone().json(&body)
}

/// The version that a tag names, whatever its rendition.
fn version(tag: &str) -> u64 {
    tag.trim_matches('"').split('-').next().unwrap().parse().unwrap()
}

/// The tag now: of a change that is made once more without believing anything.
async fn current(shop: &TestShop, by: &impl Fn(Request) -> Request, change: &Request, known: &str) -> String {
    let answer = shop.send(by(change.clone())).await.is(200);
    let now = answer.header("etag").unwrap().to_owned();
    assert!(version(&now) >= version(known));
    now
}
