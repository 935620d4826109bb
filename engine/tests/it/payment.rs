//! Checkouts whose gateway follows a script.

use smartcart_domain::failure::Failure;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::checkout::AbortReason;
use smartcart_domain::{
    id::OrderId,
    money::Money,
    orders::OrderStatus,
    payment::{Authorization, PaymentMethod},
    request::{CheckoutRejection, RequestError},
};
use smartcart_engine::{
    Config,
    payment::{PaymentError, PaymentGateway},
};

use crate::{faults::FaultyJournal, shop::Shop};

/// Answers authorisations from its script, last line first, then always yes; keeps a record of what it was asked.
#[derive(Default)]
struct ScriptedGateway {
    script: Mutex<Vec<PaymentError>>,
    asked: Mutex<Vec<(&'static str, OrderId)>>,
    totals: Mutex<Vec<i64>>,
}

impl ScriptedGateway {
    fn following(script: impl IntoIterator<Item = PaymentError>) -> Arc<Self> {
        let gateway = Self::default();
        gateway.script.lock().extend(script);
        Arc::new(gateway)
    }

    fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().iter().map(|(what, _)| *what).collect()
    }
}

#[async_trait]
impl PaymentGateway for ScriptedGateway {
    async fn authorize(
        &self,
        order: OrderId,
        total: Money,
        by: &PaymentMethod,
    ) -> Result<Authorization, PaymentError> {
        self.asked.lock().push(("authorize", order));
        self.totals.lock().push(total.amount);
        match self.script.lock().pop() {
            Some(error) => Err(error),
            None => Ok(Authorization { method: by.method.clone(), reference: "auth-1".to_owned() }),
        }
    }

    async fn capture(&self, order: OrderId, _: &Authorization) -> Result<(), PaymentError> {
        self.asked.lock().push(("capture", order));
        Ok(())
    }

    async fn void(&self, order: OrderId) -> Result<(), PaymentError> {
        self.asked.lock().push(("void", order));
        Ok(())
    }
}

async fn shop_paid_by(gateway: &Arc<ScriptedGateway>) -> Shop {
    let directory = tempfile::tempdir().expect("a directory");
    let shop = Shop::open_paid_by(directory, Config::default(), FaultyJournal::new, gateway.clone()).await;
    shop.sell(&["mug"], 250).await;
    shop.stock("mug", 10).await;
    shop
}

#[tokio::test]
async fn a_paid_order_is_authorised_once_for_its_total_and_captured() {
    let gateway = ScriptedGateway::following([]);
    let shop = shop_paid_by(&gateway).await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 3).await.unwrap();
    let ordered = shop.checkout(cart, "buy").await.unwrap();
    assert_eq!((ordered.order.total, ordered.order.payment.reference.as_str()), (750, "auth-1"));
    shop.engine.stop().await.unwrap();
    assert_eq!(gateway.asked(), ["authorize", "capture"]);
    assert_eq!(*gateway.totals.lock(), [750]);
    shop.close_and_audit().await;
}

#[tokio::test]
async fn a_declined_payment_is_told_gives_the_goods_back_and_stays_declined_under_its_key() {
    let gateway = ScriptedGateway::following([PaymentError::Declined("no funds".to_owned())]);
    let shop = shop_paid_by(&gateway).await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 3).await.unwrap();
    for replayed in [false, true] {
        let reason = AbortReason::PaymentDeclined { reason: "no funds".to_owned() };
        let declined = RequestError::Rejected(CheckoutRejection::Aborted { reason, replayed });
        assert_eq!(shop.checkout(cart, "first").await.unwrap_err(), declined);
    }
    assert_eq!((shop.level("mug").await.held, shop.quantity(cart, "mug").await), (0, 3));
    assert_eq!(gateway.asked(), ["authorize", "void"], "the same key asks nobody again");
    shop.checkout(cart, "another card").await.unwrap();
    shop.close_and_audit().await;
}

#[tokio::test]
async fn a_gateway_that_stumbles_is_asked_again_with_the_same_order() {
    let stumble = || PaymentError::from(Failure::indeterminate("time-out"));
    let gateway = ScriptedGateway::following([stumble(), stumble()]);
    let shop = shop_paid_by(&gateway).await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 1).await.unwrap();
    let ordered = shop.checkout(cart, "buy").await.unwrap();
    let asked = gateway.asked.lock().clone();
    assert_eq!(asked.iter().filter(|(what, _)| *what == "authorize").count(), 3);
    assert!(asked.iter().all(|(_, order)| *order == ordered.order.id));
    shop.close_and_audit().await;
}

#[tokio::test]
async fn a_gateway_that_stays_away_ends_the_checkout_and_voids_what_it_may_have_done() {
    let away = (0..5).map(|_| PaymentError::from(Failure::indeterminate("time-out")));
    let gateway = ScriptedGateway::following(away);
    let shop = shop_paid_by(&gateway).await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 1).await.unwrap();
    let refused = shop.checkout(cart, "buy").await.unwrap_err();
    let RequestError::Rejected(CheckoutRejection::Aborted {
        reason: AbortReason::PaymentUnavailable { .. },
        replayed: false,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(gateway.asked().last(), Some(&"void"));
    assert_eq!(shop.level("mug").await.held, 0);
    let ordered = shop.checkout(cart, "buy").await.unwrap();
    assert!(!ordered.replayed, "the same key may try again: nothing was decided");
    shop.close_and_audit().await;
}

#[tokio::test]
async fn cancelling_voids_the_payment_and_restocks_once() {
    let gateway = ScriptedGateway::following([]);
    let shop = shop_paid_by(&gateway).await;
    let cart = shop.cart().await;
    shop.add(cart, "mug", 4).await.unwrap();
    let order = shop.checkout(cart, "buy").await.unwrap().order;
    let key = Some(crate::shop::key("cancel"));
    let cancel = || shop.engine.transition_order(order.id, OrderStatus::Cancelled, None, key);
    assert!(!cancel().await.unwrap().replayed);
    assert!(cancel().await.unwrap().replayed);
    let level = shop.level("mug").await;
    assert_eq!((level.on_hand, level.sold, level.held), (10, 0, 0));
    assert!(gateway.asked().contains(&"void"));
    shop.close_and_audit().await;
}
