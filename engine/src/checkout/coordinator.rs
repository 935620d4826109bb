use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use tokio::{sync::watch, task::AbortHandle, time::Instant};

use super::payments::Payments;
use crate::{
    commit::write_behind::WriteBehind,
    directories::Directories,
    limits::MAX_HOPS,
    ownership::{
        routes::{ForwardError, RouteContext, Routes},
        shard_map::{Owner, Route},
    },
    published::{Answer, Published},
    shed::shed,
    store::{Store, StoreError},
};
use smartcart_domain::{
    cart::{Cart, CartCommand, CartRejection, Checkout, CheckoutPhase, CheckoutTerms},
    catalog::Catalog,
    change::EntityKey,
    id::{CartId, OrderId},
    idempotency::Outcome,
    orders::Order,
    peer::{PeerReply, PeerRequest},
    request::{CheckoutRejection, CheckoutRequest, Ordered, Request, RequestError},
    shard::ShardId,
};
use smartcart_domain::{checkout::AbortReason, failure::Failure};

/// How long a checkout waits for a newer shard map before it looks for its cart again.
const NEWER_MAP_TIMEOUT: Duration = Duration::from_millis(50);

/// Carts and SKUs that are loaded at the same time after a start or a takeover.
const RESUMED_AT_ONCE: usize = 32;

/// How long a caller waits for a checkout; the checkout itself goes on until it is decided.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a new checkout waits for the gateway to void the payment of the one before.
const VOID_PATIENCE: Duration = Duration::from_secs(2);
/// When whoever wants to check out may ask again, while the tables do not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How a checkout under way stands.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    Undecided,
    /// The tables have the order.
    Placed(Arc<Order>),
    /// Its holds are released, as far as their SKUs answer.
    Aborted(AbortReason),
}

/// Drives checkouts: at most one task for each cart.
pub(crate) struct Coordinator {
    pub(crate) directories: Directories,
    pub(super) write_behind: Arc<WriteBehind>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) payments: Arc<Payments>,
    catalog: Arc<ArcSwap<Catalog>>,
    pub(crate) routes: Routes,
    pub(super) decide_within: Duration,
    running: Mutex<HashMap<CartId, RunningCheckout>>,
    /// Carts that were asked to begin and have not answered.
    starting: AtomicUsize,
}

#[derive(Clone)]
struct RunningCheckout {
    order: OrderId,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

impl Coordinator {
    pub(crate) fn new(
        directories: Directories,
        write_behind: Arc<WriteBehind>,
        store: Arc<dyn Store>,
        payments: Arc<Payments>,
        catalog: Arc<ArcSwap<Catalog>>,
        routes: Routes,
        decide_within: Duration,
    ) -> Self {
        let (running, starting) = (Mutex::default(), AtomicUsize::new(0));
        Self { directories, write_behind, store, payments, catalog, routes, decide_within, running, starting }
    }

    /// From a client.
    pub(crate) async fn checkout(
        self: &Arc<Self>,
        request: CheckoutRequest,
    ) -> Result<Ordered, RequestError<CheckoutRejection>> {
        self.checkout_routed(request, RouteContext::first(Instant::now() + CHECKOUT_TIMEOUT)).await
    }

    /// At the pod that owns the cart, wherever that is by then: its shard may change hands under way.
    pub(crate) async fn checkout_routed(
        self: &Arc<Self>,
        request: CheckoutRequest,
        mut context: RouteContext,
    ) -> Result<Ordered, RequestError<CheckoutRejection>> {
        let shard = EntityKey::Cart(request.cart).shard();
        let peer_request = PeerRequest::Checkout(request);
        // An owner that lost the shard may have begun the checkout before.
        let mut has_moved = false;
        while Instant::now() < context.deadline {
            let PeerRequest::Checkout(request) = &peer_request else { break };
            let answer = match self.routes.shards.route(shard, context.epoch, context.deadline).await {
                Ok(Route::Local(guard)) => {
                    drop(guard);
                    self.checkout_local(request, context.deadline).await
                }
                // It has passed as many pods as it may: the one that sent it asks the new owner.
                Ok(Route::Remote(_)) if context.hops >= MAX_HOPS => return Err(RequestError::NotOwner),
                Ok(Route::Remote(owner)) => self.checkout_at(&owner, &peer_request, &mut context).await,
                Err(shed) => Err(shed.into()),
            };
            match answer {
                Err(RequestError::NotOwner) => {
                    has_moved = true;
                    self.routes.shards.newer_map(NEWER_MAP_TIMEOUT).await;
                }
                Err(error) if has_moved => return Err(error.of_later_step()),
                answer => return answer,
            }
        }
        Err(RequestError::indeterminate("the cart's shard moves; ask again with the same key"))
    }

    async fn checkout_at(
        &self,
        owner: &Owner,
        request: &PeerRequest,
        context: &mut RouteContext,
    ) -> Result<Ordered, RequestError<CheckoutRejection>> {
        match self.routes.forward(owner, request, context).await {
            Ok(PeerReply::Checkout(answer)) => answer,
            Ok(_) => Err(RequestError::indeterminate("the pod answered something else")),
            Err(ForwardError::Moved(epoch)) => {
                context.epoch = context.epoch.max(epoch);
                Err(RequestError::NotOwner)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn checkout_local(
        self: &Arc<Self>,
        request: &CheckoutRequest,
        until: Instant,
    ) -> Result<Ordered, RequestError<CheckoutRejection>> {
        // An order is answered when the tables have it: none is begun that cannot be.
        if self.write_behind.tables_away() {
            return Err(shed("tables_away", RETRY_AFTER).into());
        }
        let begun = self.begin(request, until).await;
        if let Err(RequestError::Rejected(CheckoutRejection::Cart(CartRejection::CartOrdered { .. }))) =
            &begun
        {
            // Whoever is led to the order finds it.
            self.flush_cart(request.cart).await?;
        }
        let (outcome, replayed) = begun?;
        match outcome {
            Outcome::Ordered(order) => {
                self.flush_cart(request.cart).await?;
                self.placed(order, replayed).await
            }
            Outcome::CheckoutRefused(_, refusal) => Err(refused(*refusal, replayed)),
            Outcome::CheckoutStarted(order) => {
                let mut progress = self.resume(request.cart, order);
                let decided = progress.wait_for(|progress| !matches!(progress, Progress::Undecided));
                let decided = tokio::select! {
                    decided = tokio::time::timeout_at(until, decided) => decided.map(|decided| decided.map(|d| d.clone())),
                    // It keeps its holds, and goes on when they answer.
                    () = self.write_behind.until_tables_away() => Ok(Ok(Progress::Undecided)),
                };
                match decided {
                    Ok(Ok(Progress::Placed(order))) => Ok(Ordered { order, replayed }),
                    Ok(Ok(Progress::Aborted(reason))) => Err(refused(reason, replayed)),
                    // Given up here, because the cart's shard goes to another pod.
                    Ok(Err(_)) => Err(RequestError::NotOwner),
                    Ok(Ok(Progress::Undecided)) | Err(_) => {
                        Err(RequestError::indeterminate("the checkout goes on; ask again with the same key"))
                    }
                }
            }
            other => Err(RequestError::not_applied(format!("the key belongs to something else: {other:?}"))),
        }
    }

    /// The durable beginning: started now, or what the key began before.
    async fn begin(
        self: &Arc<Self>,
        request: &CheckoutRequest,
        until: Instant,
    ) -> Result<(Outcome, bool), RequestError<CheckoutRejection>> {
        let voided_by = until.min(Instant::now() + VOID_PATIENCE);
        loop {
            let terms = CheckoutTerms {
                order: OrderId::random(),
                details: request.details.clone(),
                payment: request.payment.clone(),
                expected_total: request.expected_total,
                catalog: self.catalog.load_full(),
            };
            let start = Request {
                command: CartCommand::StartCheckout(Box::new(terms)),
                caller: request.caller,
                key: Some(request.key),
                expected: request.expected,
                fresh: false,
            };
            match self.start(request.cart, start).await {
                Ok(begun) => return Ok(begun),
                // The last checkout's goods are still being handed out: that takes milliseconds.
                Err(RequestError::Rejected(CartRejection::CheckoutUnderWay)) if Instant::now() < until => {
                    let patient = Instant::now() < voided_by;
                    self.wait_for_end(request.cart, if patient { voided_by } else { until }).await;
                    if Instant::now() >= voided_by && self.awaits_void(request.cart).await {
                        let reason = "the payment gateway has not voided the last payment yet".to_owned();
                        return Err(refused(AbortReason::PaymentUnavailable { reason }, false));
                    }
                }
                Err(refusal) => return Err(refusal.map(CheckoutRejection::Cart)),
            }
        }
    }

    /// Asks the cart to begin; a checkout that has begun is driven, whether or not the caller still waits to hear of it.
    async fn start(
        self: &Arc<Self>,
        cart: CartId,
        start: Request<Cart>,
    ) -> Result<(Outcome, bool), RequestError<CartRejection>> {
        let this = self.clone();
        self.starting.fetch_add(1, Ordering::AcqRel);
        let starting = tokio::spawn(async move {
            // Also after a panic: a stop waits for nobody who does not answer any more.
            let _answered = scopeguard::guard((), |()| {
                this.starting.fetch_sub(1, Ordering::AcqRel);
            });
            let answer = this.directories.carts.ask_local(&cart, start).await;
            if let Ok(Answer { outcome: Outcome::CheckoutStarted(order), .. }) = &answer {
                this.resume(cart, *order);
            }
            answer.map(|answer| (answer.outcome, answer.replayed))
        });
        starting.await.unwrap_or_else(|error| Err(RequestError::indeterminate(error.to_string())))
    }

    /// Whether all that the cart's aborted checkout lacks is the gateway's word.
    async fn awaits_void(&self, cart: CartId) -> bool {
        let published = self.directories.carts.read_local(&cart).await.ok().flatten();
        let aborted = |checkout: &Checkout| checkout.phase == CheckoutPhase::Aborted;
        published.is_some_and(|cart| cart.view().checkout.as_deref().is_some_and(aborted))
    }

    /// Whether the cart has come to the end with this order: it asks the payment gateway for nothing more.
    pub(crate) async fn is_settled(self: &Arc<Self>, cart: CartId, order: OrderId) -> Result<bool, String> {
        let published = self.directories.carts.read(&cart).await.map_err(|error| error.to_string())?;
        let works_on = |cart: &Published<Cart>| {
            cart.view().checkout.as_deref().is_some_and(|checkout| checkout.order == order)
        };
        let settled = !published.is_some_and(|cart| works_on(&cart));
        if !settled {
            self.resume_cart(cart).await;
        }
        Ok(settled)
    }

    /// Waits until the cart's checkout under way has come to its end, at most until then.
    async fn wait_for_end(self: &Arc<Self>, cart: CartId, until: Instant) {
        let running = self.running.lock().get(&cart).cloned();
        match running {
            Some(mut running) => {
                // The sender is dropped when the checkout is settled.
                let _settled = tokio::time::timeout_at(until, async {
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
        let this = self.clone();
        let task = tokio::spawn(async move {
            // Also after a panic: the next try of the checkout begins anew.
            let _ended = scopeguard::guard((), |()| {
                let mut running = this.running.lock();
                if running.get(&cart).is_some_and(|there| there.order == order) {
                    running.remove(&cart);
                }
            });
            this.drive(cart, order, &report).await;
        });
        running
            .insert(cart, RunningCheckout { order, progress: progress.clone(), task: task.abort_handle() });
        progress
    }

    /// Goes on with a cart's checkout, if it has one. Whether it has; nothing, when the cart cannot be read.
    pub(crate) async fn resume_cart(self: &Arc<Self>, cart: CartId) -> Option<bool> {
        match self.directories.carts.read_local(&cart).await {
            Ok(Some(published)) => match &published.view().checkout {
                Some(checkout) => {
                    self.resume(cart, checkout.order);
                    Some(true)
                }
                None => Some(false),
            },
            // Whoever owns it goes on with it.
            Ok(None) | Err(RequestError::NotOwner) => Some(false),
            Err(error) => {
                tracing::warn!(%cart, ?error, "a cart's checkout cannot be resumed now");
                None
            }
        }
    }

    /// Checkouts that were under way go on; SKUs with holds come into memory, so that their time runs. Of all shards, or
    /// of some. Whether all of them do: a checkout that is left has nobody else who goes on with it.
    pub(crate) async fn resume_unfinished(
        self: &Arc<Self>,
        of: Option<&[ShardId]>,
    ) -> Result<bool, StoreError> {
        // What else goes on by itself, with no client to ask for it, is looked up here too.
        let Directories { carts: _, inventory } = &self.directories;
        let wanted = |shard: ShardId| of.is_none_or(|shards| shards.contains(&shard));
        let mut carts = self.store.carts_checking_out().await?;
        carts.retain(|cart| wanted(EntityKey::Cart(*cart).shard()));
        let resumed =
            stream::iter(carts).map(|cart| self.resume_cart(cart)).buffer_unordered(RESUMED_AT_ONCE);
        let resumed: Vec<Option<bool>> = resumed.collect().await;
        let checkouts = resumed.iter().filter(|resumed| **resumed == Some(true)).count();
        let mut skus = self.store.stocks_with_holds().await?;
        skus.retain(|sku| wanted(ShardId::of(sku.as_str().as_bytes())));
        let loads = stream::iter(skus).map(Ok::<_, StoreError>).try_for_each_concurrent(
            RESUMED_AT_ONCE,
            async |sku| match inventory.read_local(&sku).await {
                Ok(_) | Err(RequestError::NotOwner) => Ok(()),
                Err(refusal) => Err(Failure::not_applied(format!("{refusal:?}")).into()),
            },
        );
        loads.await?;
        if checkouts > 0 {
            tracing::info!(checkouts, "checkouts under way go on");
        }
        Ok(resumed.iter().all(Option::is_some))
    }

    /// These shards go to other pods: their carts' checkouts stop where they are, and the new owners go on with them.
    pub(crate) fn abandon(&self, shards: &[ShardId]) {
        self.running.lock().retain(|cart, running| {
            let leaves = shards.contains(&EntityKey::Cart(*cart).shard());
            if leaves {
                running.task.abort();
            }
            !leaves
        });
    }

    pub(crate) fn under_way(&self) -> usize {
        self.starting.load(Ordering::Acquire) + self.running.lock().len()
    }

    async fn flush_cart(&self, cart: CartId) -> Result<(), RequestError<CheckoutRejection>> {
        let key = EntityKey::Cart(cart);
        if self.write_behind.has(&key) {
            self.write_behind
                .flush_entity(key)
                .await
                .map_err(|error| RequestError::indeterminate(error.to_string()))?;
        }
        Ok(())
    }

    async fn placed(&self, id: OrderId, replayed: bool) -> Result<Ordered, RequestError<CheckoutRejection>> {
        self.stored(id).await.map(|order| Ordered { order, replayed }).map_err(RequestError::indeterminate)
    }
}

const fn refused(reason: AbortReason, replayed: bool) -> RequestError<CheckoutRejection> {
    RequestError::Rejected(CheckoutRejection::Aborted { reason, replayed })
}
