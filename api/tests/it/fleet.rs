//! Pods that share a shop: any of them takes any request, and they come and go without anybody noticing.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::Duration;

use serde_json::json;
use smartcart_api::{reply::REPLAYED, target::Target};
use smartcart_domain::time::Timestamp;
use smartcart_engine::clock::{Clock, SystemClock};

use crate::support::{
    Request,
    fleet::{Fleet, FleetPod, TOKEN},
    until,
};

fn mugs(quantity: u32) -> serde_json::Value {
    json!({"sku": "MUG", "quantity": quantity})
}

#[tokio::test(flavor = "multi_thread")]
async fn any_pod_takes_any_request() {
    let (_fleet, a, b) = Fleet::of_two().await;
    assert_eq!(a.owners().await.len(), 1024);
    assert_eq!(a.owns().await + b.owns().await, 1024);
    // Enough carts that each pod has some of its own and some of the other's.
    for _ in 0..16 {
        let cart = a.cart().await;
        b.post(format!("{cart}/items"), mugs(1)).await.is(200);
        a.post(format!("{cart}/items"), mugs(1)).await.is(200);
        let (one, other) = (a.get(&cart).await.is(200), b.get(&cart).await.is(200));
        assert_eq!(one.json(), other.json());
        assert_eq!(one.header("etag"), other.header("etag"));
        assert_eq!(one.json()["totals"]["quantity"], 2);
    }
    a.get(format!("/v1/carts/{:032x}", 7)).await.problem(404, "cart_not_found");
    b.get(format!("/v1/carts/{:032x}", 7)).await.problem(404, "cart_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_crosses_pods_and_its_key_is_known_to_all() {
    let (_fleet, a, b) = Fleet::of_two().await;
    for number in 0..8 {
        let cart = a.cart().await;
        a.post(format!("{cart}/items"), mugs(2)).await.is(200);
        let checkout = Request::new("POST", format!("{cart}/checkout"))
            .key(&format!("checkout-{number}"))
            .json(&json!({"email": "ada@example.com"}));
        let order = b.send(checkout.clone()).await.is(201);
        let again = a.send(checkout).await.is(201);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(order.json(), again.json());
        let second = Request::new("POST", format!("{cart}/checkout"))
            .key(&format!("again-{number}"))
            .json(&json!({"email": "ada@example.com"}));
        for pod in [&a, &b] {
            let problem = pod.send(second.clone()).await.problem(409, "cart_ordered");
            assert_eq!(problem["order_id"], order.json()["id"]);
        }
        let shown = Request::new("GET", order.header("location").unwrap()).bearer(TOKEN);
        assert_eq!(a.send(shown.clone()).await.is(200).json()["id"], order.json()["id"]);
        assert_eq!(b.send(shown).await.is(200).json()["id"], order.json()["id"]);
    }
    until("sixteen mugs are sold", async || {
        let level = b.send(Request::new("GET", "/v1/inventory/MUG").bearer(TOKEN)).await.is(200).json();
        (&level["sold"], &level["held"]) == (&json!(16), &json!(0))
    })
    .await;
    let few = b.cart().await;
    b.post(format!("{few}/items"), mugs(85)).await.is(200);
    let checkout = Request::new("POST", format!("{few}/checkout"))
        .key("too-many")
        .json(&json!({"email": "ada@example.com"}));
    for replayed in [None, Some("true")] {
        let short = a.send(checkout.clone()).await;
        assert_eq!(short.header(REPLAYED.as_str()), replayed, "a refusal that is given again says so");
        let short = short.problem(409, "insufficient_stock");
        // Of 84; a guest is told of ten.
        assert_eq!(short["items"][0]["available"], 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_pod_changes_in_the_catalogue_all_sell() {
    let (_fleet, a, b) = Fleet::of_two().await;
    let cart = b.cart().await;
    b.post(format!("{cart}/items"), mugs(1)).await.is(200);
    let dearer = json!({"name": "Mug", "category": "Kitchen", "variants": [
        {"sku": "MUG", "prices": [{"amount": 900, "currency": "GBP"}]}]});
    a.send(Request::new("PUT", "/v1/products/MUG").bearer(TOKEN).json(&dearer)).await.is(200);
    until("the other pod knows the new price", async || {
        let cart = b.get(&cart).await.is(200).json();
        cart["items"][0]["current_price"]["amount"] == 900
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_on_one_pod_ends_on_all() {
    let (_fleet, a, b) = Fleet::of_two().await;
    let account = json!({"email": "ada@example.com", "password": "correct horse", "name": "Ada"});
    a.post("/v1/users", account).await.is(201);
    let credentials = json!({"email": "ada@example.com", "password": "correct horse"});
    let tokens = b.post("/v1/sessions", credentials).await.is(201).json();
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let me = || Request::new("GET", "/v1/users/me").bearer(&token);
    a.send(me()).await.is(200);
    a.send(Request::new("DELETE", "/v1/sessions/current").bearer(&token)).await.is(204);
    until("the other pod refuses the token", async || b.send(me()).await.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_hands_everything_over_and_who_joins_gets_a_share() {
    let (fleet, a, b) = Fleet::of_two().await;
    let mut carts = Vec::new();
    for _ in 0..24 {
        let cart = a.cart().await;
        a.post(format!("{cart}/items"), mugs(1)).await.is(200);
        carts.push(cart);
    }
    a.app.stop().await.unwrap();
    assert_eq!(b.owns().await, 1024);
    for cart in &carts {
        b.post(format!("{cart}/items"), mugs(1)).await.is(200);
        assert_eq!(b.get(cart).await.is(200).json()["totals"]["quantity"], 2);
    }
    let (c, a) = tokio::join!(fleet.pod("c"), fleet.pod("a"));
    until("the three pods share the shards", async || {
        a.owns().await > 200 && b.owns().await > 200 && c.owns().await > 200
    })
    .await;
    for cart in &carts {
        assert_eq!(c.get(cart).await.is(200).json()["totals"]["quantity"], 2);
    }
    // The last one leaves nothing behind: whoever comes next finds all in the tables.
    let (a, b) = tokio::join!(a.app.stop(), b.app.stop());
    a.and(b).unwrap();
    c.app.stop().await.unwrap();
    let d = fleet.pod("d").await;
    assert_eq!(d.owns().await, 1024);
    for cart in &carts {
        assert_eq!(d.get(cart).await.is(200).json()["totals"]["quantity"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_moved_by_hand_by_who_has_it() {
    let (_fleet, a, b) = Fleet::of_two().await;
    let owners = a.owners().await;
    let shard = owners.iter().find(|(_, pod)| *pod == "a").unwrap().0;
    let to =
        |to: &str| Request::new("POST", format!("/ops/api/shards/{shard}/move")).json(&json!({"to": to}));
    b.ops(to("a")).await.is(409);
    a.ops(to("nobody")).await.is(409);
    a.ops(to("b").header("Sec-Fetch-Site", "cross-site")).await.is(403);
    a.ops(Request::new("POST", "/ops/api/shards/1024/move").json(&json!({"to": "b"}))).await.is(404);
    a.ops(to("b")).await.is(200);
    let of = async |pod: &FleetPod| pod.owners().await.get(shard).cloned();
    assert_eq!(of(&a).await.as_deref(), Some("b"));
    until("its new owner serves it", async || of(&b).await.as_deref() == Some("b")).await;
    b.ops(to("a")).await.is(200);
    until("it is back", async || of(&a).await.as_deref() == Some("a")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_target_serves_its_part() {
    let fleet = Fleet::new().await;
    let clock = || Arc::new(SystemClock::default());
    let cart = fleet.pod_with("cart", Target::Cart, clock(), |_| {}).await;
    let (product, user, order) = tokio::join!(
        fleet.pod_with("product", Target::Product, clock(), |_| {}),
        fleet.pod_with("user", Target::User, clock(), |_| {}),
        fleet.pod_with("order", Target::Order, clock(), |_| {}),
    );
    assert_eq!(cart.owns().await, 1024);
    assert_eq!(product.owns().await + user.owns().await + order.owns().await, 0);
    product.send(Request::new("POST", "/v1/carts")).await.is(404);
    cart.get("/v1/products").await.is(404);

    let mug = json!({"name": "Mug", "category": "Kitchen", "variants": [
        {"sku": "MUG", "prices": [{"amount": 750, "currency": "GBP"}]}]});
    product.send(Request::new("PUT", "/v1/products/MUG").bearer(TOKEN).json(&mug)).await.is(201);
    let shelf = json!({"on_hand": 5});
    cart.send(Request::new("PUT", "/v1/inventory/MUG").bearer(TOKEN).json(&shelf)).await.is(200);
    let credentials = json!({"email": "ada@example.com", "password": "correct horse", "name": "Ada"});
    user.post("/v1/users", credentials).await.is(201);
    let credentials = json!({"email": "ada@example.com", "password": "correct horse"});
    let tokens = user.post("/v1/sessions", credentials).await.is(201).json();
    let token = tokens["access_token"].as_str().unwrap();
    let mine = cart.send(Request::new("GET", "/v1/carts/mine").bearer(token)).await.is(200).json();
    let path = format!("/v1/carts/{}", mine["id"].as_str().unwrap());
    until("the cart's pod knows the product", async || {
        cart.send(Request::new("POST", format!("{path}/items")).bearer(token).key("add").json(&mugs(2)))
            .await
            .status
            == 200
    })
    .await;
    let checkout = Request::new("POST", format!("{path}/checkout")).bearer(token).key("buy").json(&json!({}));
    let placed = cart.send(checkout).await.is(201).json();
    let orders = order.send(Request::new("GET", "/v1/orders").bearer(token)).await.is(200).json();
    assert_eq!(orders["items"][0]["id"], placed["id"]);
    // The order's pod gives the units back, over there where the shelf is.
    let cancel = format!("/v1/orders/{}/cancel", placed["id"].as_str().unwrap());
    order.send(Request::new("POST", cancel).bearer(token)).await.is(200);
    until("the mugs are back on their shelf", async || {
        cart.send(Request::new("GET", "/v1/inventory/MUG").bearer(TOKEN)).await.is(200).json()["on_hand"] == 5
    })
    .await;
}

/// The system's clock, whose wall somebody sets.
#[derive(Default)]
struct Jumping {
    system: SystemClock,
    wall: AtomicI64,
}

impl Clock for Jumping {
    fn wall(&self) -> Timestamp {
        Timestamp(self.system.wall().0 + self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_frees_no_hold_and_nobody_is_declared_dead() {
    const HOUR: i64 = 60 * 60 * 1000;
    let (fleet, a, b) = Fleet::of_two().await;
    let clock = Arc::new(Jumping::default());
    let c = fleet.pod_with("c", Target::All, clock.clone(), |_| {}).await;
    until("the third pod has its share", async || c.owns().await > 200).await;
    let incarnations = |status: serde_json::Value| {
        let mut all: Vec<_> =
            status["members"].as_array().unwrap().iter().map(|m| m["incarnation"].clone()).collect();
        all.sort_by_key(ToString::to_string);
        all
    };
    let before = incarnations(a.status().await);
    let hold = json!({"quantity": 1, "ttl_seconds": 60});
    let numbers = 0..12;
    let variants: Vec<_> =
        numbers.clone().map(|number| json!({"sku": format!("SKU-{number}"), "prices": []})).collect();
    let product = json!({"name": "Many", "category": "Kitchen", "variants": variants});
    b.send(Request::new("PUT", "/v1/products/many").bearer(TOKEN).json(&product)).await.is(201);
    let mut skus = Vec::new();
    // On shelves of all three pods.
    for number in numbers {
        let sku = format!("/v1/inventory/SKU-{number}");
        let shelf = Request::new("PUT", &sku).bearer(TOKEN).json(&json!({"on_hand": 5}));
        a.send(shelf).await.is(200);
        until("every pod knows the SKU", async || {
            let request = Request::new("POST", format!("{sku}/holds")).json(&hold);
            b.send(request.key(&format!("the-hold-of-everybody-on-{sku}"))).await.status == 201
        })
        .await;
        skus.push(sku);
    }
    for jump in [HOUR, -HOUR] {
        clock.wall.store(jump, Ordering::SeqCst);
        // Longer than a silent pod is waited for.
        tokio::time::sleep(Duration::from_millis(6_500)).await;
        for sku in &skus {
            for pod in [&a, &b, &c] {
                let level = pod.send(Request::new("GET", sku).bearer(TOKEN)).await.is(200).json();
                assert_eq!(level["held"], 1, "{sku} after a jump by {jump}");
            }
        }
        assert_eq!(incarnations(c.status().await), before);
        let cart = c.cart().await;
        b.post(format!("{cart}/items"), mugs(1)).await.is(200);
    }
}
