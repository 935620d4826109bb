use serde_json::{Value, json};

use crate::support::{Answer, Request, TestShop};

async fn refresh(shop: &TestShop, token: &Value) -> Answer {
    shop.post("/v1/sessions/refresh", json!({"refresh_token": token})).await
}

async fn me(shop: &TestShop, tokens: &Value) -> Answer {
    shop.send(Request::new("GET", "/v1/users/me").bearer(tokens["access_token"].as_str().unwrap())).await
}

#[tokio::test]
async fn signing_in_gives_tokens() {
    let shop = TestShop::open().await;
    let (_, tokens) = shop.shopper("ada@example.com").await;
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(me(&shop, &tokens).await.is(200).json(), tokens["user"]);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_alike() {
    let shop = TestShop::open().await;
    shop.shopper("ada@example.com").await;
    let attempt = |email: &str| shop.post("/v1/sessions", json!({"email": email, "password": "wrong horse"}));
    let wrong = attempt("ada@example.com").await.problem(401, "invalid_credentials");
    let unknown = attempt("nobody@example.com").await.problem(401, "invalid_credentials");
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let shop = TestShop::open_with(|settings| settings.auth.refresh_grace_seconds = Some(0)).await;
    let (_, first) = shop.shopper("ada@example.com").await;
    let second = refresh(&shop, &first["refresh_token"]).await.is(200).json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    me(&shop, &second).await.is(200);
    // A thief, or the shopper, comes with the old one: nobody can tell, so the session ends for both.
    refresh(&shop, &first["refresh_token"]).await.problem(401, "refresh_token_reused");
    refresh(&shop, &second["refresh_token"]).await.problem(401, "invalid_token");
    me(&shop, &second).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_stay_signed_in() {
    let shop = TestShop::open().await;
    let (_, first) = shop.shopper("ada@example.com").await;
    let token = &first["refresh_token"];
    let (one, other) = tokio::join!(refresh(&shop, token), refresh(&shop, token));
    let (one, other) = (one.is(200).json(), other.is(200).json());
    assert_eq!(one["refresh_token"], other["refresh_token"]);
    for tokens in [&one, &other] {
        me(&shop, tokens).await.is(200);
    }
    // Whoever comes with a token that is two old has it from somewhere else.
    refresh(&shop, &one["refresh_token"]).await.is(200);
    refresh(&shop, token).await.problem(401, "refresh_token_reused");
    me(&shop, &one).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_key_signs_in_to_one_account() {
    let shop = TestShop::open().await;
    shop.shopper("ada@example.com").await;
    shop.shopper("eve@example.com").await;
    let key = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let sign_in = |email: &str, password: &str| {
        Request::new("POST", "/v1/sessions").key(key).json(&json!({"email": email, "password": password}))
    };
    let first = shop.send(sign_in("ada@example.com", "correct horse")).await.is(201).json();
    let again = shop.send(sign_in("ada@example.com", "correct horse")).await.is(201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json()["refresh_token"], first["refresh_token"]);
    shop.send(sign_in("eve@example.com", "correct horse")).await.problem(422, "idempotency_key_reused");
    shop.send(sign_in("ada@example.com", "wrong horse")).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_refresh_repeated_with_its_key_is_no_theft() {
    let shop = TestShop::open().await;
    let (_, first) = shop.shopper("ada@example.com").await;
    let refresh = || {
        let body = json!({"refresh_token": first["refresh_token"]});
        Request::new("POST", "/v1/sessions/refresh").key("k").json(&body)
    };
    let second = shop.send(refresh()).await.is(200).json();
    let again = shop.send(refresh()).await.is(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json()["refresh_token"], second["refresh_token"]);
    me(&shop, &second).await.is(200);
}

#[tokio::test]
async fn a_forged_refresh_token_is_refused() {
    let shop = TestShop::open().await;
    let (_, tokens) = shop.shopper("ada@example.com").await;
    let token = tokens["refresh_token"].as_str().unwrap();
    for forged in [token.replacen(".1.", ".2.", 1), token[..token.len() - 1].to_owned(), "x".to_owned()] {
        refresh(&shop, &json!(forged)).await.problem(401, "invalid_token");
    }
    refresh(&shop, &tokens["refresh_token"]).await.is(200);
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once_and_for_good() {
    let shop = TestShop::open().await;
    let (token, tokens) = shop.shopper("ada@example.com").await;
    shop.send(Request::new("DELETE", "/v1/sessions/current").bearer(&token)).await.is(204);
    me(&shop, &tokens).await.problem(401, "invalid_token");
    refresh(&shop, &tokens["refresh_token"]).await.problem(401, "invalid_token");
    let shop = shop.reopen().await;
    me(&shop, &tokens).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn sessions_survive_a_restart() {
    let shop = TestShop::open().await;
    let (_, tokens) = shop.shopper("ada@example.com").await;
    let shop = shop.reopen().await;
    me(&shop, &tokens).await.is(200);
    refresh(&shop, &tokens["refresh_token"]).await.is(200);
}

#[tokio::test]
async fn a_repeated_sign_out_is_a_replay_and_another_one_is_refused() {
    let shop = TestShop::open().await;
    let (token, tokens) = shop.shopper("ada@example.com").await;
    let leave = |key: &str| Request::new("DELETE", "/v1/sessions/current").bearer(&token).key(key);
    shop.send(leave("one")).await.is(204);
    let again = shop.send(leave("one")).await.is(204);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let shop = shop.reopen().await;
    shop.send(leave("one")).await.is(204);
    // The same token ends nothing else.
    for _ in 0..2 {
        shop.send(leave("two")).await.problem(401, "invalid_token");
    }
    shop.send(Request::new("DELETE", "/v1/sessions/current").bearer(&token))
        .await
        .problem(401, "invalid_token");
    me(&shop, &tokens).await.problem(401, "invalid_token");
}
