use serde_json::json;

use crate::support::{Request, TestShop};

#[tokio::test]
async fn an_account_is_opened_and_changed() {
    let shop = TestShop::open().await;
    let (token, tokens) = shop.shopper("Ada@Example.com").await;
    assert_eq!(tokens["user"]["name"], "Ada");
    let me = shop.send(Request::new("GET", "/v1/users/me").bearer(&token)).await.is(200);
    assert_eq!(me.header("etag"), Some("\"1\""));
    assert!(me.json().get("password_hash").is_none());
    let rename = |tag: &str, name: &str| {
        Request::new("PATCH", "/v1/users/me")
            .bearer(&token)
            .header("If-Match", tag)
            .json(&json!({"name": name}))
    };
    assert_eq!(shop.send(rename("\"1\"", " Ada L. ")).await.is(200).json()["name"], "Ada L.");
    shop.send(rename("\"1\"", "Eve")).await.problem(412, "version_mismatch");
    shop.send(Request::new("GET", "/v1/users/me")).await.problem(401, "authentication_required");
    let service = Request::new("GET", "/v1/users/me").bearer(&shop.token);
    shop.send(service).await.problem(403, "forbidden");
}

#[tokio::test]
async fn an_address_has_one_account_whatever_its_case() {
    let shop = TestShop::open().await;
    shop.shopper("ada@example.com").await;
    let again = json!({"email": "ADA@example.com", "password": "correct horse", "name": "Eve"});
    shop.post("/v1/users", again).await.problem(409, "email_taken");
    shop.sign_in("ADA@EXAMPLE.COM").await.is(201);
}

#[tokio::test]
async fn an_account_opened_twice_with_one_key_is_one_account() {
    let shop = TestShop::open().await;
    let key = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let open = || {
        let account = json!({"email": "ada@example.com", "password": "correct horse", "name": "Ada"});
        Request::new("POST", "/v1/users").key(key).json(&account)
    };
    let first = shop.send(open()).await.is(201);
    assert_eq!(first.header("smartcart-durability"), Some("committed"));
    let again = shop.send(open()).await.is(201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
}

#[tokio::test]
async fn a_key_stands_for_one_password() {
    let shop = TestShop::open().await;
    let key = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let open = |password: &str| {
        let account = json!({"email": "ada@example.com", "password": password, "name": "Ada"});
        Request::new("POST", "/v1/users").key(key).json(&account)
    };
    shop.send(open("correct horse")).await.is(201);
    shop.send(open("battery staple")).await.problem(422, "idempotency_key_reused");
    let tokens = shop.sign_in("ada@example.com").await.is(201).json();
    let token = tokens["access_token"].as_str().unwrap();
    let change = |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        Request::new("PUT", "/v1/users/me/password").bearer(token).key("k").json(&body)
    };
    shop.send(change("correct horse", "battery staple")).await.is(204);
    for (current, new) in [
        ("battery staple", "correct horse"),
        ("correct horse", "correct horse"),
        ("wrong horse", "battery staple"),
        ("battery staple", "battery staple"),
    ] {
        shop.send(change(current, new)).await.problem(422, "idempotency_key_reused");
    }
    let again = shop.send(change("correct horse", "battery staple")).await.is(204);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    shop.sign_in("ada@example.com").await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_wrong_current_password_is_wrong_whatever_the_new_one_is() {
    let shop = TestShop::open().await;
    let (token, _) = shop.shopper("ada@example.com").await;
    let there = shop.sign_in("ada@example.com").await.is(201).json();
    for key in [None, Some("k")] {
        let body = json!({"current_password": "wrong horse", "new_password": "correct horse"});
        let change = Request::new("PUT", "/v1/users/me/password").bearer(&token).json(&body);
        let change = key.map_or(change.clone(), |key| change.key(key));
        shop.send(change).await.problem(401, "invalid_credentials");
    }
    let there = Request::new("GET", "/v1/users/me").bearer(there["access_token"].as_str().unwrap());
    shop.send(there).await.is(200);
}

#[tokio::test]
async fn what_makes_no_account_is_refused() {
    let shop = TestShop::open().await;
    for (email, password, name) in [
        ("ada", "correct horse", "Ada"),
        ("ada@example.com", "short", "Ada"),
        ("ada@example.com", "correct horse", " "),
    ] {
        let account = json!({"email": email, "password": password, "name": name});
        shop.post("/v1/users", account).await.problem(422, "invalid_field");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let shop = TestShop::open().await;
    let (here, _) = shop.shopper("ada@example.com").await;
    let there = shop.sign_in("ada@example.com").await.is(201).json();
    let there = there["access_token"].as_str().unwrap();
    let change = |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        Request::new("PUT", "/v1/users/me/password").bearer(&here).key("k").json(&body)
    };
    shop.send(change("wrong horse", "battery staple")).await.problem(401, "invalid_credentials");
    shop.send(change("correct horse", "battery staple")).await.is(204);
    let again = shop.send(change("correct horse", "battery staple")).await.is(204);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    shop.send(Request::new("GET", "/v1/users/me").bearer(&here)).await.is(200);
    shop.send(Request::new("GET", "/v1/users/me").bearer(there)).await.problem(401, "invalid_token");
    shop.sign_in("ada@example.com").await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn addresses_are_kept_as_they_came() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let (eve, _) = shop.shopper("eve@example.com").await;
    let home = json!({"address": {"street": "12 St James's Square", "lines": [1, 2.50]}});
    let add = Request::new("POST", "/v1/users/me/addresses").bearer(&ada).json(&home);
    let added = shop.send(add).await.is(201);
    let place = added.header("location").unwrap().to_owned();
    assert_eq!(added.json()["address"], home["address"]);
    let moved = json!({"address": {"street": "Ockham Park"}});
    let put = |token: &str, tag: &str| {
        Request::new("PUT", &place).bearer(token).header("If-Match", tag).json(&moved)
    };
    shop.send(put(&eve, "\"1\"")).await.problem(404, "address_not_found");
    shop.send(put(&ada, "\"7\"")).await.problem(412, "version_mismatch");
    assert_eq!(shop.send(put(&ada, "\"1\"")).await.is(200).json()["version"], 2);
    let list = |token: &str| Request::new("GET", "/v1/users/me/addresses").bearer(token);
    assert_eq!(shop.send(list(&ada)).await.is(200).json()["items"][0]["address"], moved["address"]);
    assert_eq!(shop.send(list(&eve)).await.is(200).json()["items"], json!([]));
    let delete = |token: &str| Request::new("DELETE", &place).bearer(token);
    shop.send(delete(&eve)).await.problem(404, "address_not_found");
    shop.send(delete(&ada)).await.is(204);
}

#[tokio::test]
async fn a_repeated_change_of_the_password_ends_what_it_ended_and_no_session_of_later() {
    let shop = TestShop::open().await;
    let (here, _) = shop.shopper("ada@example.com").await;
    let before = shop.sign_in("ada@example.com").await.is(201).json();
    let change = || {
        let body = json!({"current_password": "correct horse", "new_password": "battery staple"});
        Request::new("PUT", "/v1/users/me/password").bearer(&here).key("k").json(&body)
    };
    let me = async |session: &serde_json::Value| {
        let token = session["access_token"].as_str().unwrap();
        shop.send(Request::new("GET", "/v1/users/me").bearer(token)).await.status
    };
    shop.send(change()).await.is(204);
    let credentials = json!({"email": "ada@example.com", "password": "battery staple"});
    let after = shop.post("/v1/sessions", credentials).await.is(201).json();
    let again = shop.send(change()).await.is(204);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((me(&before).await, me(&after).await), (401, 200));
}

#[tokio::test]
async fn a_wrong_current_password_is_refused_also_when_the_new_one_is_the_present_one() {
    let shop = TestShop::open().await;
    let (here, _) = shop.shopper("ada@example.com").await;
    let body = json!({"current_password": "wrong horse", "new_password": "correct horse"});
    let change = Request::new("PUT", "/v1/users/me/password").bearer(&here).json(&body);
    shop.send(change.clone()).await.problem(401, "invalid_credentials");
    shop.send(change.key("fresh")).await.problem(401, "invalid_credentials");
}
