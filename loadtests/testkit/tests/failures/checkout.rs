//! A checkout's cart moves to another pod after it has begun.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use smartcart_domain::{
    cart::CartCommand,
    change::EntityKey,
    id::OrderId,
    idempotency::Caller,
    money::Money,
    payment::{Authorization, PaymentMethod},
    request::Request,
};
use smartcart_engine::payment::{PaymentError, PaymentGateway};
use smartcart_testkit::memory::PeerFault;
use tokio::sync::Notify;

use crate::shop::{Shop, call};

/// Says that it was asked, and never answers.
#[derive(Debug, Default)]
struct SilentGateway {
    asked: Notify,
}

#[async_trait]
impl PaymentGateway for SilentGateway {
    async fn authorize(
        &self,
        _: OrderId,
        _: Money,
        _: &PaymentMethod,
    ) -> Result<Authorization, PaymentError> {
        self.asked.notify_one();
        std::future::pending().await
    }

    async fn capture(&self, _: OrderId, _: &Authorization) -> Result<(), PaymentError> {
        Ok(())
    }

    async fn void(&self, _: OrderId) -> Result<(), PaymentError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_checkout_that_has_begun_is_unknown_when_its_new_owner_cannot_be_asked() {
    let gateway = Arc::new(SilentGateway::default());
    let (shop, a, _b) = Shop::open_two(gateway.clone()).await;
    let cart = shop.cart_of(&a).await;
    let create = CartCommand::Create { currency: "GBP".parse().unwrap(), owner: None, metadata: None };
    let create = Request { command: create, caller: Caller::Guest, key: None, expected: None, fresh: true };
    a.engine.carts().ask(&cart, create).await.unwrap();
    let line = json!({"sku": "MUG", "quantity": 1});
    a.send(call("POST", format!("/v1/carts/{cart}/items")).json(&line)).await.is(200, "");
    let checkout = call("POST", format!("/v1/carts/{cart}/checkout"))
        .key("checkout")
        .json(&json!({"email": "ada@example.com"}));
    let moving = async {
        gateway.asked.notified().await;
        a.peers.faults().inject([PeerFault::Refuse; 64]);
        a.engine.move_shard(EntityKey::Cart(cart).shard(), "b").await.unwrap();
    };
    let (answer, ()) = tokio::join!(a.send(checkout), moving);
    answer.is(503, "outcome_unknown");
}
