//! A fleet whose journal is in Redis: PostgreSQL may go away, Redis may go away, and the shop goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use smartcart_api::config::Settings;

use crate::support::{
    Answer, BreakableProxy, PATIENCE, RedisServer, Request,
    fleet::{Fleet, FleetPod, TOKEN},
    until,
};

struct Shop {
    redis: RedisServer,
    to_postgres: BreakableProxy,
    a: FleetPod,
    b: FleetPod,
}

impl Shop {
    /// Two pods and mugs, 100 on hand. Both go to PostgreSQL through one proxy.
    async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    async fn open_with(change: impl Fn(&mut Settings)) -> Self {
        let (fleet, redis) = (Fleet::new().await, RedisServer::new().await);
        let (place, database) = fleet.database.rsplit_once('/').unwrap();
        let (user, port) = place.rsplit_once(':').unwrap();
        let to_postgres = BreakableProxy::to(port.parse().unwrap()).await;
        let database = format!("{user}:{}/{database}", to_postgres.port);
        let (a, b) = fleet
            .two_with(|settings| {
                settings.storage.database_url = Some(database.clone());
                settings.storage.journal_url = Some(redis.address());
                change(settings);
            })
            .await;
        Self { redis, to_postgres, a, b }
    }

    fn pods(&self) -> [&FleetPod; 2] {
        [&self.a, &self.b]
    }

    /// Adds a mug, again and again with the same key while the answer is 503.
    async fn adds(&self, pod: &FleetPod, cart: &str, key: &str) {
        let add = Request::new("POST", format!("{cart}/items")).key(key).json(&mugs(1));
        answered(pod, &add).await.is(200);
    }

    async fn journals_are(&self, place: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let (a, b) = (self.a.status().await, self.b.status().await);
            let are = [&a, &b].map(|status| status["journal"].as_str().unwrap().to_owned());
            if are.iter().all(|is| is.starts_with(place)) {
                return;
            }
            assert!(Instant::now() < end, "the journals are in {are:?}, not in {place}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn mugs(quantity: u32) -> Value {
    json!({"sku": "MUG", "quantity": quantity})
}

async fn answered(pod: &FleetPod, request: &Request) -> Answer {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = pod.send(request.clone()).await;
        if answer.status != 503 || Instant::now() > until {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn checkout(cart: &str, key: &str) -> Request {
    Request::new("POST", format!("{cart}/checkout")).key(key).json(&json!({"email": "ada@example.com"}))
}

/// Enough that each pod has some of them: one that changes nothing needs no place for its journal.
async fn carts(shop: &Shop, count: usize) -> Vec<String> {
    let mut carts = Vec::new();
    for number in 0..count {
        let cart = shop.pods()[number % 2].cart().await;
        shop.adds(&shop.a, &cart, "first").await;
        carts.push(cart);
    }
    carts
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_from_redis_and_orders_from_the_tables() {
    let shop = Shop::open().await;
    for cart in carts(&shop, 16).await {
        let order = shop.b.send(checkout(&cart, &cart)).await.is(201);
        assert_eq!(order.header("smartcart-durability"), Some("committed"));
    }
    shop.journals_are("Redis: single, appendfsync always").await;
    let Shop { a, b, redis, .. } = shop;
    a.app.stop().await.unwrap();
    assert_eq!(b.owns().await, 1024);
    b.app.stop().await.unwrap();
    let left = redis.ask(&["KEYS", "smartcart:*lane*"]).await.unwrap();
    assert_eq!(left, redis::Value::Array(Vec::new()), "who stops in good order leaves no entry");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_carts_and_holds_go_on_and_checkouts_wait() {
    let shop = Shop::open().await;
    let carts = carts(&shop, 9).await;
    let (order, carts) = carts.split_first().unwrap();
    let held = Request::new("POST", "/v1/inventory/MUG/holds").bearer(TOKEN).json(&json!({"quantity": 1}));
    shop.a.send(held.clone()).await.is(201);

    shop.to_postgres.set_open(false);
    let began = Instant::now();
    let mut rounds = 0;
    while began.elapsed() < Duration::from_secs(8) {
        for cart in carts {
            for pod in shop.pods() {
                pod.post(format!("{cart}/items"), mugs(1)).await.is(200);
                pod.get(cart).await.is(200);
            }
        }
        rounds += 1;
        if rounds % 16 == 0 {
            shop.b.send(held.clone()).await.is(201);
            shop.a.cart().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = shop.a.send(checkout(order, "order")).await.is(503);
    assert!(refused.header("retry-after").is_some());
    let expected = 1 + 2 * rounds;
    shop.to_postgres.set_open(true);
    answered(&shop.a, &checkout(order, "order")).await.is(201);
    for cart in carts {
        assert_eq!(shop.b.get(cart).await.is(200).json()["totals"]["quantity"], expected);
    }
    until("the tables have it all", async || {
        let behind = &shop.a.status().await["tables_behind"];
        behind["entries"] == 0 && behind["tables_away"] == false
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_frozen_and_emptied_loses_nothing() {
    let mut shop = Shop::open().await;
    let carts = carts(&shop, 16).await;
    let mut expected = 1;
    for round in 0..3 {
        match round {
            0 => shop.redis.kill(),
            1 => shop.redis.freeze(true),
            _ => {
                shop.redis.kill();
                shop.redis.start_with(None).await;
            }
        }
        for number in 0..5 {
            for cart in &carts {
                shop.adds(&shop.a, cart, &format!("{round}-{number}")).await;
            }
            expected += 1;
        }
        match round {
            0 => {
                shop.journals_are("PostgreSQL, because Redis does not answer").await;
                shop.redis.start().await;
            }
            1 => shop.redis.freeze(false),
            _ => {}
        }
        for cart in &carts {
            shop.adds(&shop.b, cart, &format!("{round}-after")).await;
        }
        expected += 1;
        shop.journals_are("Redis").await;
    }
    for cart in &carts {
        assert_eq!(shop.b.get(cart).await.is(200).json()["totals"]["quantity"], expected);
    }
}

/// PostgreSQL stays away until what waits for it fills the memory that it may take.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_while_the_tables_are_away() {
    let shop = Shop::open_with(|settings| settings.engine.max_backlog_mib = Some(1)).await;
    let member = member(&shop).await;
    let note = json!({"metadata": {"note": "x".repeat(NOTE)}});
    let guests = Request::new("POST", "/v1/carts").json(&note);
    let staffs = guests.clone().bearer(TOKEN);
    let add = |key: &str| member.clone().key(key).json(&mugs(1));
    shop.a.send(add("before")).await.is(200);
    shop.to_postgres.set_open(false);
    let mut carts = fill(&shop, &guests).await;
    // The journal has kept no copies of them: with copies half of the memory would be theirs.
    assert!(carts.len() * NOTE > MEBIBYTE, "guests are refused after {}", carts.len());
    shop.a.send(add("guests-are-refused")).await.is(200);
    carts.extend(fill(&shop, &staffs).await);
    let refused = shop.a.send(add("all-are-refused")).await.is(503);
    assert!(refused.header("retry-after").is_some());
    for pod in shop.pods() {
        let bytes = pod.status().await["tables_behind"]["bytes"].as_u64().unwrap();
        assert!((700_000..MEBIBYTE as u64).contains(&bytes), "{bytes} bytes wait");
        pod.get(&carts[0]).await.is(200);
    }

    shop.to_postgres.set_open(true);
    answered(&shop.a, &add("all-are-refused")).await.is(200);
    answered(&shop.b, &guests).await.is(201);
    for cart in &carts {
        shop.b.get(cart).await.is(200);
    }
    for pod in shop.pods() {
        until("the tables have it all", async || pod.status().await["tables_behind"]["entries"] == 0).await;
    }
}

const MEBIBYTE: usize = 1 << 20;
const NOTE: usize = 4000;

/// Creates carts until both pods refuse; those that were created.
async fn fill(shop: &Shop, create: &Request) -> Vec<String> {
    let (mut carts, mut refused) = (Vec::new(), 0);
    while refused < 24 {
        let answer = shop.pods()[carts.len() % 2].send(create.clone()).await;
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some());
            refused += 1;
        } else {
            carts.push(answer.is(201).header("location").unwrap().to_owned());
            refused = 0;
        }
        assert!(carts.len() < 2000, "nobody is refused");
    }
    carts
}

/// A signed-in shopper's way to add to a cart.
async fn member(shop: &Shop) -> Request {
    let mut account = json!({"email": "ada@example.com", "password": "correct horse"});
    let credentials = account.clone();
    account["name"] = json!("Ada");
    shop.a.post("/v1/users", account).await.is(201);
    let tokens = shop.a.post("/v1/sessions", credentials).await.is(201).json();
    let token = tokens["access_token"].as_str().unwrap();
    let cart = shop.a.send(Request::new("GET", "/v1/carts/mine").bearer(token)).await.is(200).json();
    Request::new("POST", format!("/v1/carts/{}/items", cart["id"].as_str().unwrap())).bearer(token)
}
