//! The real process with files that may not grow, as on a full disk: it says that it is not ready and why, loses nothing, goes
//! on by itself when there is room, and its exit code tells whether everything is in the tables.

use serde_json::json;

use crate::support::{Answer, Process, Request, until};

/// Bytes of each file.
const LIMIT: &str = "6291456";

/// A guest's cart with much in it, if there is room.
async fn cart(shop: &Process) -> Result<String, Answer> {
    let cart = Request::new("POST", "/v1/carts").json(&json!({"metadata": {"note": "x".repeat(3_500)}}));
    let answer = shop.send(cart).await;
    match answer.header("location") {
        Some(path) => Ok(path.to_owned()),
        None => Err(answer),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_files_are_told_of_and_written_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Process::start_with(folder.path(), LIMIT).await;
    let mug = json!({"name": "Mug", "category": "Kitchen", "variants": [
        {"sku": "MUG", "prices": [{"amount": 750, "currency": "GBP"}]}]});
    shop.send(Request::new("PUT", "/v1/products/MUG").bearer(&shop.token).json(&mug)).await.is(201);
    let shelf = Request::new("PUT", "/v1/inventory/MUG").bearer(&shop.token).json(&json!({"on_hand": 100}));
    shop.send(shelf).await.is(200);
    let order = cart(&shop).await.unwrap();
    let mugs = json!({"sku": "MUG", "quantity": 1});
    shop.send(Request::new("POST", format!("{order}/items")).json(&mugs)).await.is(200);

    let (mut carts, mut why) = (Vec::new(), None);
    while why.is_none() {
        carts.extend(cart(&shop).await);
        why = shop.not_ready_because().await;
    }
    let why = why.unwrap();
    assert!(why.contains("the tables take no changes") && why.contains("its file cannot grow"), "{why}");
    let checkout = Request::new("POST", format!("{order}/checkout"))
        .key("checkout")
        .json(&json!({"email": "ada@example.com"}));
    // The journal takes changes for a while, and then it is full too.
    let refused = loop {
        match cart(&shop).await {
            Ok(cart) => carts.push(cart),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.status, 503);
    let why = shop.not_ready_because().await.unwrap();
    assert!(why.contains("the journal takes no changes"), "{why}");
    shop.send(checkout.clone()).await.is(503);

    shop.limit_files("unlimited");
    until("it is ready again", async || shop.readiness().await.status == 200).await;
    shop.send(checkout).await.is(201);
    carts.push(cart(&shop).await.unwrap());

    // Full again, and stopped: the exit code says that not all is in the tables.
    shop.limit_files("4096");
    carts.push(cart(&shop).await.unwrap_or_else(|_| order.clone()));
    until("the tables take nothing", async || shop.not_ready_because().await.is_some()).await;
    let (status, said) = shop.stop().await;
    assert_eq!(status.code(), Some(1), "{said}");

    let shop = Process::start(folder.path()).await;
    for cart in &carts {
        shop.send(Request::new("GET", cart)).await.is(200);
    }
    let (status, said) = shop.stop().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("everything is in the tables"), "{said}");
}
