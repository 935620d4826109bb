//! The load: clients that do at random what shoppers and the shop's back office do, each request into the journal.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{sync::Notify, time::Instant};

use super::{
    cart::{CartChange, image_of},
    check::{cart, stock},
    client::{Client, Outcome, Request, Ticks, Timed},
    doors::Doors,
    kill::Fuse,
    world::{Entry, Fate, Meaning, World},
};
use crate::{chaos::aftermath::level_of, rng::Rng};

/// Carts that everybody changes: few, so that changes meet.
pub const SHARED_CARTS: usize = 12;
/// Of the carts of earlier rounds, this many are changed further.
const RECENT: usize = 36;
/// A cart with this many changes of unknown fate is left alone: the check's search grows with them.
const UNKNOWN_PER_CART: usize = 6;
const LONG_TTL: u64 = 24 * 60 * 60;

/// What the clients of a round share.
#[derive(Debug)]
pub struct Stage {
    pub world: Mutex<World>,
    pub doors: Arc<Doors>,
    pub token: String,
    pub ticks: Ticks,
    pub stop: AtomicBool,
    pub fuse: Fuse,
    /// Told of each checkout that was answered.
    pub checkout_answered: Notify,
    /// Reads that got no answer, or a 5xx.
    failed_reads: Mutex<Vec<String>>,
    /// Changes that found no door open.
    not_sent: AtomicUsize,
    /// How long each read took.
    read_times: Mutex<Vec<Duration>>,
}

impl Stage {
    pub fn new(doors: Doors, token: &str) -> Self {
        Self {
            world: Mutex::default(),
            doors: Arc::new(doors),
            token: token.to_owned(),
            ticks: Ticks::default(),
            stop: AtomicBool::new(false),
            fuse: Fuse::default(),
            checkout_answered: Notify::new(),
            failed_reads: Mutex::default(),
            not_sent: AtomicUsize::new(0),
            read_times: Mutex::default(),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    pub fn take_read_times(&self) -> Vec<Duration> {
        std::mem::take(&mut *locked(&self.read_times))
    }

    pub fn take_failed_reads(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.failed_reads))
    }

    pub fn take_not_sent(&self) -> usize {
        self.not_sent.swap(0, Ordering::Relaxed)
    }

    pub fn client(&self) -> Client {
        Client::new(self.doors.clone(), &self.token, self.ticks.clone())
    }
}

#[derive(Debug)]
pub struct Worker {
    stage: Arc<Stage>,
    client: Client,
    /// A second connection, for what races with the first.
    rival: Client,
    rng: Rng,
    mix: Mix,
}

/// What a round's load is made of.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Holds that expire within the round.
    pub short_holds: bool,
    /// Checkouts. They cost the server so much that a round without them has several times the acknowledgements, and
    /// with them the chance that a kill meets one that came too early.
    pub checkouts: bool,
}

impl Mix {
    pub fn draw(rng: &mut Rng) -> Self {
        Self { short_holds: rng.chance(25), checkouts: rng.chance(50) }
    }
}

impl Worker {
    pub fn new(stage: Arc<Stage>, rng: Rng, mix: Mix) -> Self {
        let (client, rival) = (stage.client(), stage.client());
        Self { stage, client, rival, rng, mix }
    }

    pub async fn run(self) {
        self.run_paced(Duration::ZERO).await;
    }

    /// One thing after another, and none sooner than `pace` after the one before.
    pub async fn run_paced(mut self, pace: Duration) {
        let mut due = Instant::now() + pace.mul_f64(self.rng.fraction());
        while !self.stage.stop.load(Ordering::SeqCst) {
            tokio::time::sleep_until(due).await;
            due = (due + pace).max(Instant::now());
            match self.rng.below(100) {
                0..36 => self.change_a_cart().await,
                36..40 => {
                    self.create_a_cart(false).await;
                }
                40..48 => self.hold().await,
                48..58 => self.act_on_a_hold().await,
                58..63 => self.adjust().await,
                63..76 if self.mix.checkouts => self.buy().await,
                63..76 => self.change_a_cart().await,
                76..80 => self.cancel().await,
                80..94 => self.read_a_cart().await,
                _ => self.read_a_stock().await,
            }
        }
    }

    /// Creates carts until there is one: what the round's changes are for.
    pub async fn create_shared(&mut self) {
        while self.create_a_cart(false).await.is_none() && !self.stage.stop.load(Ordering::SeqCst) {}
    }

    /// Sends a request and writes it down.
    async fn send(&mut self, meaning: Meaning, request: Request) -> Timed {
        let first = self.client.send(&request).await;
        if matches!(first.outcome, Outcome::Acknowledged(_)) {
            self.stage.fuse.acknowledged();
        }
        note(&self.stage, meaning, request, first.clone());
        if matches!(first.outcome, Outcome::NotSent) {
            // The server is away; the round is about to end.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        first
    }

    fn key(&mut self) -> String {
        format!("chaos-{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    fn sku(&mut self) -> String {
        let world = self.stage.world();
        self.rng.pick(&world.skus).cloned().unwrap_or_default()
    }

    fn units(&mut self) -> u32 {
        [1, 2, 3][self.rng.below(3)]
    }

    async fn create_a_cart(&mut self, private: bool) -> Option<usize> {
        let key = self.rng.chance(60).then(|| self.key());
        let request = Request {
            method: "POST",
            path: "/v1/carts".to_owned(),
            body: Some(json!({ "currency": "USD" })),
            key,
            service: false,
        };
        let Outcome::Acknowledged(answer) = self.send(Meaning::Create, request).await.outcome else {
            return None;
        };
        self.stage.world().learn(&Meaning::Create, &answer, private)
    }

    /// A cart that is shared, recent, and not full of doubts.
    fn shared_cart(&mut self) -> Option<usize> {
        let world = self.stage.world();
        let shared = world.carts.iter().enumerate().rev().filter(|(_, cart)| !cart.private);
        let recent: Vec<usize> = shared.map(|(index, _)| index).take(RECENT).collect();
        let cart = *self.rng.pick(&recent)?;
        let unknown =
            world.changes_of(cart).filter(|(_, entry)| matches!(entry.fate(), Fate::Unknown)).count();
        (unknown < UNKNOWN_PER_CART).then_some(cart)
    }

    fn draw_change(&mut self) -> CartChange {
        let (sku, quantity) = (self.sku(), self.units());
        match self.rng.below(100) {
            0..55 => CartChange::Add { sku, quantity },
            55..70 => CartChange::Set { sku, quantity },
            70..82 => CartChange::Remove { sku },
            82..85 => CartChange::Clear,
            _ => {
                let atomic = self.rng.chance(50);
                let add = CartChange::Add { sku, quantity };
                let set = CartChange::Set { sku: self.sku(), quantity: self.units() };
                let remove = CartChange::Remove { sku: self.sku() };
                CartChange::Batch { atomic, operations: vec![add, set, remove] }
            }
        }
    }

    async fn change_a_cart(&mut self) {
        let Some(cart) = self.shared_cart() else { return };
        let change = self.draw_change();
        let request = self.change_request(cart, &change);
        self.send(Meaning::Change { cart, change }, request).await;
    }

    fn change_request(&mut self, cart: usize, change: &CartChange) -> Request {
        let key = self.rng.chance(50).then(|| self.key());
        let (method, below, body) = change.request();
        let path = format!("/v1/carts/{}{below}", self.stage.world().carts[cart].id);
        Request { method, path, body, key, service: false }
    }

    /// Back-office requests always bear a key: what is indeterminate of them can be settled.
    fn back_office(
        &mut self,
        method: &'static str,
        path: String,
        body: Option<serde_json::Value>,
    ) -> Request {
        Request { method, path, body, key: Some(self.key()), service: true }
    }

    async fn hold(&mut self) {
        let (sku, quantity) = (self.sku(), self.units());
        let lasting = !(self.mix.short_holds && self.rng.chance(50));
        let mut body = json!({ "quantity": quantity, "ttl_seconds": if lasting { LONG_TTL } else { 1 } });
        if self.rng.chance(30) {
            body["hold_id"] = format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64()).into();
        }
        let request = self.back_office("POST", format!("/v1/inventory/{sku}/holds"), Some(body));
        let meaning = Meaning::Hold { sku, quantity, lasting };
        if let Outcome::Acknowledged(answer) = self.send(meaning.clone(), request).await.outcome {
            self.stage.world().learn(&meaning, &answer, false);
        }
    }

    async fn act_on_a_hold(&mut self) {
        let Some((hold, path)) = self.take_hold() else { return };
        let (meaning, request) = match self.rng.below(3) {
            0 => {
                let body = json!({ "ttl_seconds": LONG_TTL });
                (Meaning::Extend { hold }, self.back_office("POST", format!("{path}/extend"), Some(body)))
            }
            1 => (Meaning::Release { hold }, self.back_office("DELETE", path, None)),
            _ => (Meaning::Commit { hold }, self.back_office("POST", format!("{path}/commit"), None)),
        };
        let extended = matches!(meaning, Meaning::Extend { .. });
        let outcome = self.send(meaning, request).await.outcome;
        if extended && matches!(outcome, Outcome::Acknowledged(_)) {
            self.stage.world().holds[hold].busy = false;
        }
    }

    /// A hold that nobody else acts on, and its path.
    fn take_hold(&mut self) -> Option<(usize, String)> {
        let mut world = self.stage.world();
        let free = |hold: &super::world::Hold| hold.live && !hold.busy;
        let free: Vec<usize> =
            world.holds.iter().enumerate().filter(|(_, hold)| free(hold)).map(|(index, _)| index).collect();
        let index = *self.rng.pick(&free)?;
        let hold = &mut world.holds[index];
        hold.busy = true;
        Some((index, format!("/v1/inventory/{}/holds/{}", hold.sku, hold.id)))
    }

    async fn adjust(&mut self) {
        let sku = self.sku();
        let delta = [-3, -1, 2, 5, 8][self.rng.below(5)];
        let body = json!({ "delta": delta, "reason": "chaos" });
        let request = self.back_office("POST", format!("/v1/inventory/{sku}/adjustments"), Some(body));
        self.send(Meaning::Adjust { sku, delta }, request).await;
    }

    /// A cart of one's own, three lines, checkout; sometimes with an add that races with it.
    async fn buy(&mut self) {
        let Some(cart) = self.create_a_cart(true).await else { return };
        let operations: Vec<CartChange> =
            (0..3).map(|_| CartChange::Add { sku: self.sku(), quantity: self.units() }).collect();
        let change = CartChange::Batch { atomic: true, operations };
        let request = self.change_request(cart, &change);
        let filled = self.send(Meaning::Change { cart, change }, request).await;
        let Outcome::Acknowledged(answer) = filled.outcome else { return };
        let Some(image) = image_of(&answer.body) else { return };

        let checkout = Request {
            method: "POST",
            path: format!("/v1/carts/{}/checkout", self.stage.world().carts[cart].id),
            body: Some(json!({ "email": "chaos@example.com" })),
            key: Some(self.key()),
            service: false,
        };
        let meaning = Meaning::Checkout { cart, before: image.lines };
        let first = if self.rng.chance(30) {
            let racing = CartChange::Add { sku: self.sku(), quantity: 1 };
            let request = self.change_request(cart, &racing);
            let (first, add) = tokio::join!(self.client.send(&checkout), self.rival.send(&request));
            note(&self.stage, meaning.clone(), checkout, first.clone());
            note(&self.stage, Meaning::Change { cart, change: racing }, request, add);
            first
        } else {
            self.send(meaning.clone(), checkout).await
        };
        if let Outcome::Acknowledged(answer) = first.outcome {
            self.stage.world().learn(&meaning, &answer, false);
            self.stage.checkout_answered.notify_waiters();
        }
    }

    async fn cancel(&mut self) {
        let taken = {
            let mut world = self.stage.world();
            let free: Vec<usize> = (0..world.orders.len())
                .filter(|index| !world.orders[*index].busy && !world.orders[*index].cancelled)
                .collect();
            self.rng.pick(&free).map(|&index| {
                world.orders[index].busy = true;
                (index, world.orders[index].id.clone())
            })
        };
        let Some((order, id)) = taken else { return };
        let request = self.back_office("POST", format!("/v1/orders/{id}/cancel"), None);
        self.send(Meaning::Cancel { order }, request).await;
    }

    async fn read_a_cart(&mut self) {
        let Some(index) = self.shared_cart() else { return };
        let path = format!("/v1/carts/{}", self.stage.world().carts[index].id);
        let Timed { sent, answered, outcome, .. } = self.read(Request::read(path, false)).await;
        if let Outcome::Acknowledged(answer) = outcome
            && let Some(image) = image_of(&answer.body)
        {
            self.stage.world().cart_reads.push((index, cart::Read { image, sent, answered }));
        }
    }

    async fn read(&mut self, request: Request) -> Timed {
        let timed = self.client.send(&request).await;
        locked(&self.stage.read_times).push(timed.took);
        if matches!(timed.outcome, Outcome::NotSent | Outcome::Indeterminate(_)) {
            locked(&self.stage.failed_reads).push(format!("{}: {:?}", request.path, timed.outcome));
        }
        timed
    }

    async fn read_a_stock(&mut self) {
        let sku = self.sku();
        let request = Request::read(format!("/v1/inventory/{sku}"), true);
        let Timed { sent, answered, outcome, .. } = self.read(request).await;
        if let Outcome::Acknowledged(answer) = outcome
            && let Some(level) = level_of(&answer.body)
        {
            self.stage.world().stock_reads.push((sku, stock::Read { level, sent, answered }));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(stage: &Stage, meaning: Meaning, request: Request, first: Timed) {
    if matches!(first.outcome, Outcome::NotSent) {
        stage.not_sent.fetch_add(1, Ordering::Relaxed);
    } else {
        stage.world().journal.push(Entry { request, meaning, first, again: None });
    }
}
