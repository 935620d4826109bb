//! The payment gateway, each of its calls bounded in time: whoever waits for it holds goods and a cart.

use std::{fmt::Display, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    backoff::Backoff,
    payment::{PaymentError, PaymentGateway},
};
use smartcart_domain::{
    checkout::AbortReason,
    id::OrderId,
    money::Money,
    payment::{Authorization, PaymentMethod},
};

/// How often a gateway that does not answer is asked before the checkout is given up.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub(crate) struct Payments {
    gateway: Arc<dyn PaymentGateway>,
    /// Of one call.
    timeout: Duration,
}

impl Payments {
    pub(crate) fn new(gateway: Arc<dyn PaymentGateway>, timeout: Duration) -> Self {
        Self { gateway, timeout }
    }

    /// A gateway that gives no answer by `until` has declined nothing: it is out of reach.
    pub(super) async fn authorize(
        &self,
        order: OrderId,
        total: Money,
        by: &PaymentMethod,
        until: Instant,
    ) -> Result<Authorization, AbortReason> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        for _ in 0..TRIES {
            let call = self.gateway.authorize(order, total, by);
            match timeout_at(until.min(Instant::now() + self.timeout), call).await {
                Ok(Ok(authorization)) => return Ok(authorization),
                Ok(Err(PaymentError::Declined(reason))) => {
                    return Err(AbortReason::PaymentDeclined { reason });
                }
                Ok(Err(PaymentError::Failed(failure))) => {
                    tracing::warn!(%order, %failure, "the payment gateway failed; trying again");
                }
                Err(_) => tracing::warn!(%order, "the payment gateway does not answer; trying again"),
            }
            if timeout_at(until, backoff.wait()).await.is_err() {
                break;
            }
        }
        Err(AbortReason::PaymentUnavailable { reason: "the payment gateway does not answer".to_owned() })
    }

    pub(super) async fn capture(&self, order: OrderId, authorization: &Authorization) -> Result<(), String> {
        told(timeout(self.timeout, self.gateway.capture(order, authorization)).await)
    }

    /// Gives back what the gateway has promised or taken for the order; nothing is captured for it afterwards.
    pub(crate) async fn void(&self, order: OrderId) -> Result<(), String> {
        told(timeout(self.timeout, self.gateway.void(order)).await)
    }
}

fn told<Elapsed>(answer: Result<Result<(), impl Display>, Elapsed>) -> Result<(), String> {
    match answer {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("the payment gateway does not answer".to_owned()),
    }
}
