//! A shopper: one cart, one request at a time, each repeated with its key until its outcome is known.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{RngExt as _, seq::IndexedRandom as _};
use smartcart_domain::{
    cart::{CartCommand, CartRejection},
    change::EntityKey,
    entity::Entity,
    id::{CartId, HoldId, OrderId, Sku},
    idempotency::{Caller, KeyFingerprint},
    inventory::StockCommand,
    orders::CheckoutDetails,
    payment::PaymentMethod,
    request::{CheckoutRejection, CheckoutRequest, Request, RequestError},
    shard::ShardId,
};
use smartcart_testkit::random::Rng;

use crate::{
    pod::Pod,
    world::{SKUS, World, sku},
};

pub(crate) struct Shopper {
    world: Arc<World>,
    rng: Rng,
    pub(crate) cart: CartId,
    requests: u64,
    /// What was acknowledged, and so must be there.
    pub(crate) lines: BTreeMap<Sku, u32>,
    pub(crate) orders: BTreeMap<OrderId, BTreeMap<Sku, u32>>,
    /// Requests that had to be repeated, and why.
    pub(crate) failures: Vec<String>,
}

/// What a shopper does how often, in parts of ten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) steps: u32,
    pub(crate) checkouts: u32,
    pub(crate) holds: u32,
}

fn request<E: Entity>(command: E::Command, key: KeyFingerprint, caller: Caller) -> Request<E> {
    Request { command, caller, key: Some(key), expected: None, fresh: false }
}

impl Shopper {
    pub(crate) fn new(world: &Arc<World>, mut rng: Rng) -> Self {
        let cart = CartId(rng.random());
        let world = world.clone();
        Self {
            world,
            rng,
            cart,
            requests: 0,
            lines: BTreeMap::new(),
            orders: BTreeMap::new(),
            failures: vec![],
        }
    }

    pub(crate) fn shard(&self) -> ShardId {
        EntityKey::Cart(self.cart).shard()
    }

    pub(crate) async fn shop(mut self, habits: Habits) -> Self {
        self.create().await;
        for _ in 0..habits.steps {
            let pause = self.rng.random_range(0..400);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            match self.rng.random_range(0..10) {
                draw if draw < habits.checkouts => self.checkout().await,
                draw if draw < habits.checkouts + habits.holds => self.hold().await,
                _ => self.add().await,
            }
        }
        self
    }

    /// Shops a little, and does not ask what became of it.
    pub(crate) async fn wander(mut self) {
        let cart = self.cart;
        let create = CartCommand::Create { currency: "GBP".parse().unwrap(), owner: None, metadata: None };
        let mut command = Some(create);
        for _ in 0..20 {
            let pod = self.world.any_pod(&mut self.rng);
            let name = *SKUS.choose(&mut self.rng).unwrap();
            let add = || CartCommand::AddItem { sku: sku(name), quantity: 1, catalog: pod.engine.catalog() };
            let command = command.take().unwrap_or_else(add);
            let key = self.next_key();
            if self.rng.random_range(0..4) == 0 {
                let _unknown = pod.hear(pod.engine.checkout(self.order(key))).await;
            } else {
                let asked = pod.engine.carts().ask(&cart, request(command, key, Caller::Guest));
                let _unknown = pod.hear(asked).await.map(drop);
            }
            tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..300))).await;
        }
    }

    /// Whether a pod takes nothing more for the cart.
    pub(crate) async fn is_refused_by(&mut self, pod: &Pod) -> bool {
        let command = CartCommand::AddItem { sku: sku(SKUS[0]), quantity: 1, catalog: pod.engine.catalog() };
        let key = self.next_key();
        pod.engine.carts().ask(&self.cart, request(command, key, Caller::Guest)).await.is_err()
    }

    fn order(&self, key: KeyFingerprint) -> CheckoutRequest {
        CheckoutRequest {
            cart: self.cart,
            caller: Caller::Guest,
            key,
            expected: None,
            expected_total: None,
            details: CheckoutDetails::default(),
            payment: PaymentMethod { method: "invoice".to_owned(), token: None },
        }
    }

    fn next_key(&mut self) -> KeyFingerprint {
        self.requests += 1;
        KeyFingerprint::new(Caller::Guest, &format!("{}-{}", self.cart, self.requests), 1)
    }

    /// Until somebody knows what became of it.
    async fn until_known<T, R: std::fmt::Debug>(
        &mut self,
        what: &str,
        again: impl Fn(&R) -> bool,
        call: impl AsyncFn(&Pod) -> Result<T, RequestError<R>>,
    ) -> Result<T, R> {
        loop {
            let pod = self.world.any_pod(&mut self.rng);
            let failure = match pod.hear(call(&pod)).await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(RequestError::Rejected(rejection))) if again(&rejection) => None,
                Some(Err(RequestError::Rejected(rejection))) => return Err(rejection),
                Some(Err(error @ (RequestError::KeyReused | RequestError::Stale { .. }))) => {
                    panic!("{what} of cart {}: {error:?}", self.cart)
                }
                Some(Err(error)) => Some(format!("{what} at {}: {error:?}", pod.name)),
                None => Some(format!("{what} at {}: no answer", pod.name)),
            };
            self.failures.extend(failure);
            let pause = self.rng.random_range(20..300);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn ask_cart(
        &mut self,
        what: &str,
        command: impl Fn(&Pod) -> CartCommand,
    ) -> Result<(), CartRejection> {
        let (cart, key) = (self.cart, self.next_key());
        // The last checkout empties the cart soon after its answer.
        let busy = |rejection: &CartRejection| {
            matches!(rejection, CartRejection::CheckoutUnderWay | CartRejection::CheckingOut)
        };
        self.until_known(what, busy, async |pod| {
            pod.engine.carts().ask(&cart, request(command(pod), key, Caller::Guest)).await.map(drop)
        })
        .await
    }

    pub(crate) async fn create(&mut self) {
        let created = self.ask_cart("create", |_| CartCommand::Create {
            currency: "GBP".parse().unwrap(),
            owner: None,
            metadata: None,
        });
        created.await.unwrap();
    }

    pub(crate) async fn add(&mut self) {
        let (name, quantity) = (*SKUS.choose(&mut self.rng).unwrap(), self.rng.random_range(1..=2));
        let added = self.ask_cart("add", |pod| CartCommand::AddItem {
            sku: sku(name),
            quantity,
            catalog: pod.engine.catalog(),
        });
        added.await.unwrap();
        *self.lines.entry(sku(name)).or_default() += quantity;
    }

    /// A plain hold, which ends by itself.
    async fn hold(&mut self) {
        let name = *SKUS.choose(&mut self.rng).unwrap();
        let (id, key) = (HoldId(self.rng.random()), self.next_key());
        let held = self.until_known(
            "hold",
            |_| false,
            async |pod| {
                let command = StockCommand::PlaceHold { id, quantity: 1, ttl: Duration::from_secs(2) };
                pod.engine.inventory().ask(&sku(name), request(command, key, Caller::Service)).await.map(drop)
            },
        );
        // Refused when all that is left is held.
        let _held = held.await;
    }

    async fn checkout(&mut self) {
        let key = self.next_key();
        let request = self.order(key);
        let busy = |rejection: &CheckoutRejection| match rejection {
            CheckoutRejection::Cart(rejection) => {
                matches!(rejection, CartRejection::CheckoutUnderWay | CartRejection::CheckingOut)
            }
            // Nothing was decided: the same key tries again.
            CheckoutRejection::Aborted { reason, .. } => !reason.is_final(),
        };
        let ordered = self.until_known("checkout", busy, async |pod| {
            pod.engine.checkout(request.clone()).await.map(|ordered| ordered.order)
        });
        match ordered.await {
            Ok(order) => {
                let lines: BTreeMap<Sku, u32> =
                    order.lines.iter().map(|line| (line.sku.clone(), line.quantity)).collect();
                assert_eq!(lines, self.lines, "the order of cart {} has what was in it", self.cart);
                let other = self.orders.insert(order.id, std::mem::take(&mut self.lines));
                assert!(other.is_none(), "two checkouts of cart {} were one order", self.cart);
            }
            Err(CheckoutRejection::Cart(CartRejection::CartEmpty)) => assert!(self.lines.is_empty()),
            Err(CheckoutRejection::Cart(CartRejection::CartOrdered { order })) => {
                assert!(
                    self.lines.is_empty() && self.orders.contains_key(&order),
                    "{order} of {}",
                    self.cart
                );
            }
            Err(CheckoutRejection::Aborted { .. }) => {}
            Err(rejection) => panic!("checkout of cart {}: {rejection:?}", self.cart),
        }
    }
}
