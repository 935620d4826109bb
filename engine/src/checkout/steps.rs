//! The steps of one checkout, each repeated until it is acknowledged.

use std::{fmt::Debug, pin::pin, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::coordinator::{Coordinator, Progress};
use crate::backoff::Backoff;
use smartcart_domain::{
    cart::{CartCommand, Checkout, CheckoutPhase},
    change::EntityKey,
    id::{CartId, OrderId, Sku},
    inventory::{StockCommand, StockRejection},
    money::Money,
    orders::{Order, OrderLine, OrderStatus},
    request::RequestError,
};
use smartcart_domain::{
    checkout::{AbortReason, Shortage},
    payment::Authorization,
};

/// A SKU that has not released an aborted checkout's hold by then does so when it asks the cart.
const RELEASE_PATIENCE: Duration = Duration::from_secs(1);
/// A payment that is not voided by then is voided behind the answer.
const VOID_BEFORE_ANSWER: Duration = Duration::from_secs(1);
/// Between two attempts at a step.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the SKUs said.
enum Holds {
    All,
    Short(Vec<Shortage>),
}

impl Coordinator {
    /// Takes a cart's checkout from where it stands to its end, and reports the decision on the way.
    pub(super) async fn drive(
        self: &Arc<Self>,
        cart: CartId,
        order: OrderId,
        report: &watch::Sender<Progress>,
    ) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let decide_by = Instant::now() + self.decide_within;
        loop {
            let checkout = match self.directories.carts.read_local(&cart).await {
                Ok(Some(published)) => {
                    published.view().checkout.clone().filter(|checkout| checkout.order == order)
                }
                // The cart's new owner goes on.
                Ok(None) | Err(RequestError::NotOwner) => None,
                Err(error) => {
                    tracing::warn!(%order, ?error, "a checkout waits until its cart can be read");
                    backoff.wait().await;
                    continue;
                }
            };
            let Some(checkout) = checkout else { return };
            let step = match checkout.phase {
                CheckoutPhase::Started => self.decide(cart, &checkout, decide_by).await,
                CheckoutPhase::Placed => self.finish_placed(cart, &checkout, report).await,
                CheckoutPhase::Aborted => self.finish_aborted(cart, &checkout, report).await,
            };
            if let Err(error) = step {
                tracing::warn!(%order, error, "a step of a checkout is tried again");
                if checkout.phase == CheckoutPhase::Started && Instant::now() < decide_by {
                    // When its time is up, it is given up at once.
                    let _time_is_up = timeout_at(decide_by, backoff.wait()).await;
                } else {
                    backoff.wait().await;
                }
            }
        }
    }

    /// Holds and payment, and then the one decision.
    async fn decide(&self, cart: CartId, checkout: &Checkout, by: Instant) -> Result<(), String> {
        let order = checkout.order;
        let held = timeout_at(by, self.hold_all(cart, checkout)).await;
        let decision = match held {
            Ok(Ok(Holds::Short(shortages))) => Err(AbortReason::InsufficientStock(shortages)),
            Ok(Ok(Holds::All)) => self.authorize(cart, checkout, by).await?,
            Ok(Err(error)) if Instant::now() < by => return Err(error),
            Ok(Err(_)) | Err(_) => {
                let reason = "not every SKU has answered in time; nothing was bought".to_owned();
                Err(AbortReason::Unavailable { reason })
            }
        };
        let command = match decision {
            Ok(payment) => CartCommand::PlaceOrder { order, payment },
            Err(refusal) => CartCommand::AbortCheckout { order, refusal },
        };
        self.directories
            .carts
            .step_local(&cart, command)
            .await
            .map(|_| ())
            .map_err(|refusal| describe(&refusal))
    }

    /// Every SKU is asked in the order of the SKUs, so that of two checkouts that want the same last units one gets them.
    async fn hold_all(&self, cart: CartId, checkout: &Checkout) -> Result<Holds, String> {
        for (index, line) in checkout.lines.iter().enumerate() {
            let hold = StockCommand::HoldForCheckout { order: checkout.order, cart, quantity: line.quantity };
            match self.directories.inventory.step(&line.sku, hold).await {
                Ok(_) => {}
                Err(RequestError::Rejected(StockRejection::InsufficientStock { available })) => {
                    return self
                        .shortages(line, available, &checkout.lines[index + 1..])
                        .await
                        .map(Holds::Short);
                }
                Err(refusal) => return Err(describe(&refusal)),
            }
        }
        Ok(Holds::All)
    }

    /// The line that fell short, and which of those behind it would.
    async fn shortages(
        &self,
        first: &OrderLine,
        available: i64,
        behind: &[OrderLine],
    ) -> Result<Vec<Shortage>, String> {
        let shortage = |line: &OrderLine, available| Shortage {
            sku: line.sku.clone(),
            requested: line.quantity,
            available,
        };
        let mut shortages = vec![shortage(first, available)];
        for line in behind {
            let level =
                self.directories.inventory.read(&line.sku).await.map_err(|error| error.to_string())?;
            let available = level.map_or(0, |level| level.view().available());
            if available < i64::from(line.quantity) {
                shortages.push(shortage(line, available));
            }
        }
        Ok(shortages)
    }

    async fn authorize(
        &self,
        cart: CartId,
        checkout: &Checkout,
        by: Instant,
    ) -> Result<Result<Authorization, AbortReason>, String> {
        let published =
            self.directories.carts.read_local(&cart).await.map_err(|refusal| describe(&refusal))?;
        let currency = published.ok_or("the cart is gone")?.view().currency;
        let total = Money::new(checkout.total, currency);
        Ok(self.payments.authorize(checkout.order, total, &checkout.payment, by).await)
    }

    async fn finish_placed(
        &self,
        cart: CartId,
        checkout: &Checkout,
        report: &watch::Sender<Progress>,
    ) -> Result<(), String> {
        let id = checkout.order;
        let written =
            self.write_behind.flush_entity(EntityKey::Cart(cart)).await.map_err(|error| error.to_string())?;
        let order = match written.filter(|order| order.id == id) {
            Some(order) => order,
            // It was written before.
            None => self.stored(id).await?,
        };
        report.send_replace(Progress::Placed(order.clone()));
        self.each_sku(checkout, |_| StockCommand::SellForCheckout { order: id }).await?;
        if let Err(error) = self.payments.capture(id, &order.payment).await
            && self.stored(id).await?.status != OrderStatus::Cancelled
        {
            return Err(error);
        }
        // Captured, or cancelled meanwhile: then its payment is voided once this has settled.
        self.directories
            .carts
            .step_local(&cart, CartCommand::SettleCheckout { order: id })
            .await
            .map(|_| ())
            .map_err(|refusal| describe(&refusal))
    }

    pub(super) async fn stored(&self, id: OrderId) -> Result<Arc<Order>, String> {
        let order = self.store.order(id).await.map_err(|error| error.to_string())?;
        order.map(Arc::new).ok_or_else(|| "the order is not in the tables".to_owned())
    }

    async fn finish_aborted(
        &self,
        cart: CartId,
        checkout: &Checkout,
        report: &watch::Sender<Progress>,
    ) -> Result<(), String> {
        let tell = || {
            if let Some(refusal) = &checkout.refusal {
                report.send_replace(Progress::Aborted(refusal.clone()));
            }
        };
        self.release(checkout).await;
        let mut end = pin!(self.void_and_settle(cart, checkout.order));
        let ended = match timeout(VOID_BEFORE_ANSWER, &mut end).await {
            Ok(ended) => ended,
            Err(_) => {
                tell();
                end.await
            }
        };
        tell();
        ended
    }

    async fn void_and_settle(&self, cart: CartId, order: OrderId) -> Result<(), String> {
        self.payments.void(order).await?;
        let settle = CartCommand::SettleCheckout { order };
        self.directories
            .carts
            .step_local(&cart, settle)
            .await
            .map(|_| ())
            .map_err(|refusal| describe(&refusal))
    }

    /// An aborted checkout's holds, as far as their SKUs answer.
    async fn release(&self, checkout: &Checkout) {
        let order = checkout.order;
        let until = Instant::now() + RELEASE_PATIENCE;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut held: Vec<&Sku> = checkout.lines.iter().map(|line| &line.sku).collect();
        loop {
            let release = |sku| {
                let step = self.directories.inventory.step(sku, StockCommand::ReleaseForCheckout { order });
                async move { timeout_at(until, step).await.is_ok_and(|step| step.is_ok()) }
            };
            let released = join_all(held.iter().map(|sku| release(sku))).await;
            held = held.into_iter().zip(released).filter(|(_, done)| !done).map(|(sku, _)| sku).collect();
            if held.is_empty() {
                return;
            }
            if timeout_at(until, backoff.wait()).await.is_err() {
                tracing::warn!(%order, ?held, "holds of an aborted checkout stay until their SKUs ask the cart");
                return;
            }
        }
    }

    async fn each_sku(
        &self,
        checkout: &Checkout,
        command: impl Fn(&OrderLine) -> StockCommand,
    ) -> Result<(), String> {
        let steps =
            checkout.lines.iter().map(|line| self.directories.inventory.step(&line.sku, command(line)));
        join_all(steps)
            .await
            .into_iter()
            .try_for_each(|step| step.map(|_| ()).map_err(|refusal| describe(&refusal)))
    }

    /// A SKU has had a checkout's hold for long: what has become of the checkout?
    pub(crate) async fn reconcile(
        self: &Arc<Self>,
        sku: &Sku,
        order: OrderId,
        cart: CartId,
    ) -> Result<(), String> {
        let command = if self.is_settled(cart, order).await? {
            // It was given up, or every SKU has sold: then this hold was asked for a second time, by a message that was long
            // under way.
            StockCommand::ReleaseForCheckout { order }
        } else {
            StockCommand::KeepForCheckout { order }
        };
        self.directories.inventory.step(sku, command).await.map(|_| ()).map_err(|refusal| describe(&refusal))
    }
}

fn describe<R: Debug>(refusal: &RequestError<R>) -> String {
    format!("{refusal:?}")
}
