//! The store fails: what only it takes, and what is written behind it.

use serde_json::{Value, json};
use smartcart_testkit::memory::StoreFault;

use crate::shop::{Call, Pod, Shop, call, product};

const UNAVAILABLE: (u16, &str) = (503, "unavailable");
const UNKNOWN: (u16, &str) = (503, "outcome_unknown");

/// How a write of the tables fails, what the client hears, and whether it was made.
const EFFECTS: [(StoreFault, (u16, &str), bool); 2] =
    [(StoreFault::Fail, UNAVAILABLE, false), (StoreFault::LoseAnswer, UNKNOWN, true)];

struct Account {
    token: String,
    refresh: String,
}

async fn account(pod: &Pod, email: &str) -> Account {
    let body = json!({"email": email, "password": "a long password", "name": "Ada"});
    pod.send(call("POST", "/v1/users").json(&body)).await.is(201, "");
    sign_in(pod, email, "a long password").await
}

async fn sign_in(pod: &Pod, email: &str, password: &str) -> Account {
    let body = json!({"email": email, "password": password});
    let tokens = pod.send(call("POST", "/v1/sessions").json(&body)).await.is(201, "").json();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    Account { token: text("access_token"), refresh: text("refresh_token") }
}

/// Each change that is one write of the tables.
async fn changes(pod: &Pod) -> Vec<Call> {
    let Account { token, refresh } = account(pod, "ada@example.com").await;
    let user = json!({"email": "bob@example.com", "password": "a long password", "name": "Bob"});
    let session = json!({"email": "ada@example.com", "password": "a long password"});
    vec![
        call("PUT", "/v1/products/MUG").service().json(&product("Big mug")),
        call("POST", "/v1/users").json(&user),
        call("POST", "/v1/sessions").json(&session),
        call("PATCH", "/v1/users/me").bearer(&token).json(&json!({"name": "Ada L."})),
        call("POST", "/v1/users/me/addresses").bearer(&token).json(&json!({"address": {"city": "London"}})),
        call("POST", "/v1/sessions/refresh").json(&json!({"refresh_token": refresh})),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_tables_that_was_not_made_is_unavailable_and_one_that_may_have_been_is_unknown() {
    for (fault, (status, code), made) in EFFECTS {
        let (_shop, pod) = Shop::open().await;
        for (number, change) in changes(&pod).await.into_iter().enumerate() {
            let change = change.key(&format!("change-{number}"));
            pod.store.faults().inject([fault]);
            pod.send(change.clone()).await.is(status, code);
            // The key tells whether it was made.
            let again = pod.send(change).await;
            assert!((200..300).contains(&again.status), "{number}: {again:?}");
            assert_eq!(again.replayed, made, "{number}: {again:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_unavailable() {
    let (_shop, pod) = Shop::open().await;
    let Account { token, .. } = account(&pod, "ada@example.com").await;
    pod.store.faults().go_away();
    let unread = [
        call("GET", "/v1/users/me").bearer(&token),
        call("GET", "/v1/users/me/addresses").bearer(&token),
        call("GET", "/v1/orders").bearer(&token),
        call("GET", format!("/v1/carts/{}", "0".repeat(32))),
    ];
    for read in unread {
        pod.send(read).await.is(503, "unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_password_and_the_end_of_other_sessions_are_one_and_a_retry_tells_memory() {
    let (_shop, pod) = Shop::open().await;
    let other = account(&pod, "ada@example.com").await;
    let own = sign_in(&pod, "ada@example.com", "a long password").await;
    let body = json!({"current_password": "a long password", "new_password": "a new password"});
    let change = call("PUT", "/v1/users/me/password").bearer(&own.token).key("password").json(&body);
    pod.store.faults().inject([StoreFault::Fail]);
    pod.send(change.clone()).await.is(503, "unavailable");
    // The password is written and the other sessions have ended, in one transaction; this pod does not know.
    pod.store.faults().inject([StoreFault::LoseAnswer]);
    pod.send(change.clone()).await.is(503, "outcome_unknown");
    pod.send(call("GET", "/v1/users/me").bearer(&other.token)).await.is(200, "");
    assert!(pod.send(change).await.is(204, "").replayed);
    pod.send(call("GET", "/v1/users/me").bearer(&other.token)).await.is(401, "invalid_token");
}

#[tokio::test(start_paused = true)]
async fn an_import_that_ends_after_its_first_slice_is_unknown() {
    let (_shop, pod) = Shop::open().await;
    let row = |number: usize| {
        json!({"id": format!("P{number}"), "name": "A product", "variants": [
            {"sku": format!("S{number}"), "prices": [{"amount": 750, "currency": "GBP"}]}]})
        .to_string()
    };
    let import = |rows: std::ops::Range<usize>| {
        let rows: Vec<String> = rows.map(row).collect();
        call("POST", "/v1/products/import").service().text("application/x-ndjson", rows.join("\n"))
    };
    pod.store.faults().inject([StoreFault::Fail]);
    pod.send(import(0..501)).await.is(503, "unavailable");
    pod.store.faults().spare(1);
    pod.store.faults().inject([StoreFault::Fail]);
    pod.send(import(0..501)).await.is(503, "outcome_unknown");
    let result: Value = pod.send(import(0..501)).await.is(200, "").json();
    assert_eq!((&result["unchanged"], &result["written"]), (&json!(500), &json!(1)));
}
