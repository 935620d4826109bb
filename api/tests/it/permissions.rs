//! Who may ask is decided before what is asked is looked at: a stranger learns nothing from a body, and costs no reading of it.

use crate::support::{
    Request, TestShop,
    described::{Operation, operations},
};

/// The call with bodies that nothing good can be made of.
fn garbage(operation: &Operation) -> Vec<Request> {
    let call = || operation.request();
    let enormous = call().header("Content-Type", "application/json").header("Content-Length", "99999999");
    let mut requests = vec![
        call(),
        call().text("application/json", "{"),
        call().text("application/json", r#"{"\u0000": "\u0000"}"#),
        call().text("application/json", b"\xff\x00".as_slice()),
        call().text("text/plain", "hello"),
        call().text("application/json", "{}").header("Content-Encoding", "gzip"),
        call().header("Idempotency-Key", "two words"),
        call().header("If-Match", "yesterday"),
    ];
    if operation.takes_a_body() {
        requests.push(enormous);
    }
    requests
}

#[tokio::test]
async fn what_is_for_the_shop_alone_refuses_others_before_it_reads_their_body() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let for_the_service: Vec<_> = operations().into_iter().filter(Operation::is_for_the_service).collect();
    assert!(for_the_service.len() >= 6, "{for_the_service:?}");
    for request in for_the_service.iter().flat_map(garbage) {
        shop.send(request.clone()).await.problem(401, "authentication_required");
        shop.send(request.clone().bearer(&ada)).await.problem(403, "forbidden");
        shop.send(request.bearer("forged")).await.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn what_is_for_shoppers_refuses_strangers_before_it_reads_their_body() {
    let shop = TestShop::open().await;
    let for_shoppers =
        |operation: &Operation| operation.is_for_the_known() && !operation.is_for_the_service();
    let for_shoppers: Vec<_> = operations().into_iter().filter(for_shoppers).collect();
    assert!(for_shoppers.len() >= 9, "{for_shoppers:?}");
    for request in for_shoppers.iter().flat_map(garbage) {
        shop.send(request).await.problem(401, "authentication_required");
    }
}

/// The other way round: what the description opens to everybody is open.
#[tokio::test]
async fn what_is_for_everybody_asks_nobody_who_they_are() {
    let shop = TestShop::open().await;
    let open: Vec<_> = operations().into_iter().filter(|operation| !operation.is_for_the_known()).collect();
    for request in open.iter().flat_map(garbage) {
        let answer = shop.send(request.clone()).await;
        let refused = answer.status == 403 || answer.status == 401 && answer.code() != "invalid_token";
        assert!(!refused, "{request:?}: {answer:?}");
    }
}
