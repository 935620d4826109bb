use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{CheckoutRefusal, PaymentGateway, PaymentMethod};
use crate::{
    cart::{Cart, CartCommand, CartRejection, CheckoutTerms},
    catalog::Catalog,
    commit::WriteBehind,
    directory::{Directory, Refusal, Request},
    id::{CartId, OrderId},
    idempotency::{Caller, KeyGuard, Outcome},
    inventory::Stock,
    orders::{CheckoutDetails, Order},
    store::Store,
};

/// How long a caller waits for a checkout; the checkout itself goes on until it is decided.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct CheckoutRequest {
    pub cart: CartId,
    pub caller: Caller,
    pub key: KeyGuard,
    /// The cart's version that the shopper saw.
    pub expected: Option<u64>,
    pub accept_changes: bool,
    pub details: CheckoutDetails,
    pub payment: PaymentMethod,
}

#[derive(Debug, Clone)]
pub struct Ordered {
    pub order: Arc<Order>,
    pub replayed: bool,
}

/// Why no order was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckoutRejection {
    Cart(CartRejection),
    Refused(CheckoutRefusal),
}

/// How a checkout under way stands.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    Undecided,
    /// The tables have the order.
    Placed(Arc<Order>),
    /// Its holds are released.
    Refused(CheckoutRefusal),
}

/// Drives checkouts: at most one task for each cart.
pub(crate) struct Coordinator {
    pub(super) carts: Arc<Directory<Cart>>,
    pub(super) inventory: Arc<Directory<Stock>>,
    pub(super) write_behind: Arc<WriteBehind>,
    pub(super) store: Arc<dyn Store>,
    pub(super) gateway: Arc<dyn PaymentGateway>,
    pub(super) catalog: Arc<ArcSwap<Catalog>>,
    running: Mutex<HashMap<CartId, Running>>,
}

#[derive(Clone)]
struct Running {
    order: OrderId,
    progress: watch::Receiver<Progress>,
}

impl Coordinator {
    pub(crate) fn new(
        carts: Arc<Directory<Cart>>,
        inventory: Arc<Directory<Stock>>,
        write_behind: Arc<WriteBehind>,
        store: Arc<dyn Store>,
        gateway: Arc<dyn PaymentGateway>,
        catalog: Arc<ArcSwap<Catalog>>,
    ) -> Self {
        Self { carts, inventory, write_behind, store, gateway, catalog, running: Mutex::default() }
    }

    pub(crate) async fn checkout(
        self: &Arc<Self>,
        request: CheckoutRequest,
    ) -> Result<Ordered, Refusal<CheckoutRejection>> {
        let until = Instant::now() + PATIENCE;
        let (outcome, replayed) = self.begin(&request, until).await?;
        match outcome {
            Outcome::Ordered(order) => {
                self.tables_have(request.cart).await?;
                self.placed(order, replayed).await
            }
            Outcome::CheckoutRefused(_, refusal) => Err(refused(*refusal)),
            Outcome::CheckoutStarted(order) => {
                let mut progress = self.resume(request.cart, order);
                let decided = progress.wait_for(|progress| !matches!(progress, Progress::Undecided));
                match tokio::time::timeout_at(until.into(), decided)
                    .await
                    .map(|decided| decided.map(|d| d.clone()))
                {
                    Ok(Ok(Progress::Placed(order))) => Ok(Ordered { order, replayed }),
                    Ok(Ok(Progress::Refused(refusal))) => Err(refused(refusal)),
                    Ok(Ok(Progress::Undecided) | Err(_)) | Err(_) => {
                        Err(Refusal::Unknown("the checkout goes on; ask again with the same key".to_owned()))
                    }
                }
            }
            other => Err(Refusal::Unavailable(format!("the key belongs to something else: {other:?}"))),
        }
    }

    /// The durable beginning: started now, or what the key began before.
    async fn begin(
        self: &Arc<Self>,
        request: &CheckoutRequest,
        until: Instant,
    ) -> Result<(Outcome, bool), Refusal<CheckoutRejection>> {
        loop {
            let terms = CheckoutTerms {
                order: OrderId::random(),
                details: request.details.clone(),
                payment: request.payment.clone(),
                accept_changes: request.accept_changes,
                catalog: self.catalog.load_full(),
            };
            let start = Request {
                command: CartCommand::StartCheckout(Box::new(terms)),
                caller: request.caller,
                key: Some(request.key),
                expected: request.expected,
                fresh: false,
            };
            match self.carts.ask(&request.cart, start).await {
                Ok(answer) => return Ok((answer.outcome, answer.replayed)),
                // The last checkout's goods are still being handed out: that takes milliseconds.
                Err(Refusal::Rejected(CartRejection::CheckoutUnderWay)) if Instant::now() < until => {
                    self.settled(request.cart, until).await;
                }
                Err(refusal) => return Err(refusal.map(CheckoutRejection::Cart)),
            }
        }
    }

    /// Waits until the cart's checkout under way has come to its end.
    async fn settled(self: &Arc<Self>, cart: CartId, until: Instant) {
        let running = self.running.lock().get(&cart).cloned();
        match running {
            Some(mut running) => {
                // The sender is dropped when the checkout is settled.
                let _settled = tokio::time::timeout_at(until.into(), async {
                    while running.progress.changed().await.is_ok() {}
                })
                .await;
            }
            None => {
                self.resume_cart(cart).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// The checkout's progress; its task is started when there is none.
    fn resume(self: &Arc<Self>, cart: CartId, order: OrderId) -> watch::Receiver<Progress> {
        let mut running = self.running.lock();
        if let Some(there) = running.get(&cart).filter(|there| there.order == order) {
            return there.progress.clone();
        }
        let (report, progress) = watch::channel(Progress::Undecided);
        running.insert(cart, Running { order, progress: progress.clone() });
        let this = self.clone();
        tokio::spawn(async move {
            this.drive(cart, order, &report).await;
            let mut running = this.running.lock();
            if running.get(&cart).is_some_and(|there| there.order == order) {
                running.remove(&cart);
            }
            drop(report);
        });
        progress
    }

    /// Goes on with a cart's checkout, if it has one. Whether it has.
    pub(crate) async fn resume_cart(self: &Arc<Self>, cart: CartId) -> bool {
        match self.carts.read(&cart).await {
            Ok(Some(published)) => match &published.view().checkout {
                Some(checkout) => {
                    self.resume(cart, checkout.order);
                    true
                }
                None => false,
            },
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%cart, %error, "a cart's checkout cannot be resumed now");
                false
            }
        }
    }

    pub(crate) fn under_way(&self) -> usize {
        self.running.lock().len()
    }

    async fn tables_have(&self, cart: CartId) -> Result<(), Refusal<CheckoutRejection>> {
        let key = crate::commit::EntityKey::Cart(cart);
        if self.write_behind.has(&key) {
            self.write_behind.expedite(key).await.map_err(|error| Refusal::Unknown(error.to_string()))?;
        }
        Ok(())
    }

    async fn placed(&self, id: OrderId, replayed: bool) -> Result<Ordered, Refusal<CheckoutRejection>> {
        self.stored(id).await.map(|order| Ordered { order, replayed }).map_err(Refusal::Unknown)
    }
}

fn refused(refusal: CheckoutRefusal) -> Refusal<CheckoutRejection> {
    Refusal::Rejected(CheckoutRejection::Refused(refusal))
}
