//! The load: clients that do at random what shoppers and the shop's back office do, each request into the journal.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::{Rng as _, RngExt as _, seq::IndexedRandom as _};
use serde_json::json;
use smartcart_testkit::{http::Request, random::Rng};
use tokio::time::Instant;

use crate::{
    cart::{CartChange, snapshot_of},
    check::{
        cart,
        stock::{self, level_of},
    },
    client::{Client, Outcome, Timed},
    history::Hold,
    journal::{Fate, Meaning},
    resend::{Joined, check_replay, join},
    session::Session,
};

/// Carts that everybody changes: few, so that changes meet.
pub const SHARED_CARTS: usize = 12;
/// Of the carts of earlier rounds, this many are changed further.
const RECENT: usize = 36;
/// A cart with this many changes of unknown fate is left alone: the check's search grows with them.
const UNKNOWN_PER_CART: usize = 6;
/// Of a hundred requests with a key, so many are sent twice at once, and so many again after their acknowledgement.
const TWICE_AT_ONCE: u32 = 8;
const ONCE_MORE: u32 = 12;
/// Of a hundred carts that are bought, so many got so many keys before.
const FULL_OF_KEYS: u32 = 10;
const KEYS: usize = 17;
const LONG_TTL: u64 = 24 * 60 * 60;

#[derive(Debug)]
pub struct Worker {
    session: Arc<Session>,
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
        Self { short_holds: rng.random_ratio(25, 100), checkouts: rng.random_ratio(50, 100) }
    }
}

impl Worker {
    pub fn new(session: Arc<Session>, rng: Rng, mix: Mix) -> Self {
        let (client, rival) = (session.client(), session.client());
        Self { session, client, rival, rng, mix }
    }

    pub async fn run(self) {
        self.run_paced(Duration::ZERO).await;
    }

    /// One thing after another, and none sooner than `pace` after the one before.
    pub async fn run_paced(mut self, pace: Duration) {
        let mut due = Instant::now() + pace.mul_f64(self.rng.random::<f64>());
        while !self.session.stop.load(Ordering::SeqCst) {
            tokio::time::sleep_until(due).await;
            due = (due + pace).max(Instant::now());
            match self.rng.random_range(0..100) {
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
        while self.create_a_cart(false).await.is_none() && !self.session.stop.load(Ordering::SeqCst) {}
    }

    /// Sends a request and writes it down. One with a key now and then comes twice at once, or again when it was made.
    async fn send(&mut self, meaning: Meaning, request: Request) -> Timed {
        let kind = meaning.kind();
        let twice = request.key.is_some() && self.rng.random_ratio(TWICE_AT_ONCE, 100);
        let (first, again) =
            if twice { self.send_twice(kind, &request).await } else { self.once(&request).await };
        self.session.note(meaning, request.clone(), first.clone(), again);
        if request.key.is_some() && self.rng.random_ratio(ONCE_MORE, 100) {
            self.replay(kind, &request, &first).await;
        }
        if matches!(first.outcome, Outcome::NotSent) {
            // The server is away; the round is about to end.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        first
    }

    async fn once(&mut self, request: &Request) -> (Timed, Option<Timed>) {
        let first = self.client.send(request).await;
        self.tell_kill_switch(&first);
        (first, None)
    }

    /// Over both connections at once.
    async fn send_twice(&mut self, kind: &'static str, request: &Request) -> (Timed, Option<Timed>) {
        let Self { client, rival, session, .. } = self;
        let told = async |client: &mut Client| {
            let answer = client.send(request).await;
            if matches!(answer.outcome, Outcome::Acknowledged(_)) {
                session.kill_switch.acknowledged();
            }
            answer
        };
        let (one, other) = tokio::join!(told(client), told(rival));
        session.repeated(kind);
        match join(one.clone(), other) {
            Ok(Joined { first, again }) => (first, again),
            Err(violation) => {
                session.violated(violation);
                (one, None)
            }
        }
    }

    /// What was acknowledged comes some more times, as from a client that did not hear the answer.
    async fn replay(&mut self, kind: &'static str, request: &Request, made: &Timed) {
        if !matches!(made.outcome, Outcome::Acknowledged(_)) {
            return;
        }
        for _ in 0..self.rng.random_range(1..=3) {
            let again = self.rival.send(request).await;
            self.session.repeated(kind);
            if let Some(violation) = check_replay(made, &again) {
                self.session.violated(violation);
            }
        }
    }

    fn tell_kill_switch(&self, answer: &Timed) {
        if matches!(answer.outcome, Outcome::Acknowledged(_)) {
            self.session.kill_switch.acknowledged();
        }
    }

    fn key(&mut self) -> String {
        format!("chaos-{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    fn sku(&mut self) -> String {
        let history = self.session.history();
        history.skus.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    fn units(&mut self) -> u32 {
        self.rng.random_range(1..=3)
    }

    async fn create_a_cart(&mut self, private: bool) -> Option<usize> {
        let key = self.rng.random_ratio(60, 100).then(|| self.key());
        let request = Request { key, ..Request::post("/v1/carts", json!({ "currency": "USD" })) };
        let Outcome::Acknowledged(answer) = self.send(Meaning::Create, request).await.outcome else {
            return None;
        };
        self.session.history().learn(&Meaning::Create, &answer, private)
    }

    /// A cart that is shared, recent, and not full of doubts.
    fn shared_cart(&mut self) -> Option<usize> {
        let history = self.session.history();
        let shared = history.carts.iter().enumerate().rev().filter(|(_, cart)| !cart.private);
        let recent: Vec<usize> = shared.map(|(index, _)| index).take(RECENT).collect();
        let cart = *recent.choose(&mut self.rng)?;
        let unknown =
            history.changes_of(cart).filter(|(_, entry)| matches!(entry.fate(), Fate::Unknown)).count();
        (unknown < UNKNOWN_PER_CART).then_some(cart)
    }

    fn draw_change(&mut self) -> CartChange {
        let (sku, quantity) = (self.sku(), self.units());
        match self.rng.random_range(0..100) {
            0..55 => CartChange::Add { sku, quantity },
            55..70 => CartChange::Set { sku, quantity },
            70..82 => CartChange::Remove { sku },
            82..85 => CartChange::Clear,
            _ => {
                let atomic = self.rng.random_ratio(50, 100);
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
        let key = self.rng.random_ratio(50, 100).then(|| self.key());
        let (method, below, body) = change.request();
        let path = format!("/v1/carts/{}{below}", self.session.history().carts[cart].id);
        Request { key, ..Request::new(method, path).body(body) }
    }

    /// Back-office requests always bear a key: what is indeterminate of them can be settled.
    fn back_office(
        &mut self,
        method: &'static str,
        path: String,
        body: Option<serde_json::Value>,
    ) -> Request {
        Request::new(method, path).body(body).key(self.key()).by_service()
    }

    async fn hold(&mut self) {
        let (sku, quantity) = (self.sku(), self.units());
        let lasting = !(self.mix.short_holds && self.rng.random_ratio(50, 100));
        let mut body = json!({ "quantity": quantity, "ttl_seconds": if lasting { LONG_TTL } else { 1 } });
        if self.rng.random_ratio(30, 100) {
            body["hold_id"] = format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64()).into();
        }
        let request = self.back_office("POST", format!("/v1/inventory/{sku}/holds"), Some(body));
        let meaning = Meaning::Hold { sku, quantity, lasting };
        if let Outcome::Acknowledged(answer) = self.send(meaning.clone(), request).await.outcome {
            self.session.history().learn(&meaning, &answer, false);
        }
    }

    async fn act_on_a_hold(&mut self) {
        let Some((hold, path)) = self.take_hold() else { return };
        let (meaning, request) = match self.rng.random_range(0..3) {
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
            self.session.history().holds[hold].busy = false;
        }
    }

    /// A hold that nobody else acts on, and its path.
    fn take_hold(&mut self) -> Option<(usize, String)> {
        let mut history = self.session.history();
        let free = |hold: &Hold| hold.live && !hold.busy;
        let free: Vec<usize> =
            history.holds.iter().enumerate().filter(|(_, hold)| free(hold)).map(|(index, _)| index).collect();
        let index = *free.choose(&mut self.rng)?;
        let hold = &mut history.holds[index];
        hold.busy = true;
        Some((index, format!("/v1/inventory/{}/holds/{}", hold.sku, hold.id)))
    }

    async fn adjust(&mut self) {
        let sku = self.sku();
        let delta = [-3, -1, 2, 5, 8][self.rng.random_range(0..5_usize)];
        let body = json!({ "delta": delta, "reason": "chaos" });
        let request = self.back_office("POST", format!("/v1/inventory/{sku}/adjustments"), Some(body));
        self.send(Meaning::Adjust { sku, delta }, request).await;
    }

    /// A cart of one's own, three lines, checkout; sometimes with an add that races with it. Some carts have more keys than
    /// are written with each change.
    async fn buy(&mut self) {
        let Some(cart) = self.create_a_cart(true).await else { return };
        if self.rng.random_ratio(FULL_OF_KEYS, 100) {
            for _ in 0..KEYS {
                let change = CartChange::Set { sku: self.sku(), quantity: 1 };
                let key = Some(self.key());
                let request = Request { key, ..self.change_request(cart, &change) };
                let sent = self.send(Meaning::Change { cart, change }, request).await;
                if !matches!(sent.outcome, Outcome::Acknowledged(_)) {
                    return;
                }
            }
        }
        let operations: Vec<CartChange> =
            (0..3).map(|_| CartChange::Add { sku: self.sku(), quantity: self.units() }).collect();
        let change = CartChange::Batch { atomic: true, operations };
        let request = self.change_request(cart, &change);
        let filled = self.send(Meaning::Change { cart, change }, request).await;
        let Outcome::Acknowledged(answer) = filled.outcome else { return };
        let Some(snapshot) = snapshot_of(&answer.body) else { return };

        let path = format!("/v1/carts/{}/checkout", self.session.history().carts[cart].id);
        let checkout = Request::post(path, json!({ "email": "chaos@example.com" })).key(self.key());
        let meaning = Meaning::Checkout { cart, before: snapshot.lines };
        let first = if self.rng.random_ratio(30, 100) {
            let racing = CartChange::Add { sku: self.sku(), quantity: 1 };
            let request = self.change_request(cart, &racing);
            let (first, add) = tokio::join!(self.client.send(&checkout), self.rival.send(&request));
            self.session.note(meaning.clone(), checkout, first.clone(), None);
            self.session.note(Meaning::Change { cart, change: racing }, request, add, None);
            first
        } else {
            self.send(meaning.clone(), checkout).await
        };
        if let Outcome::Acknowledged(answer) = first.outcome {
            self.session.history().learn(&meaning, &answer, false);
            self.session.checkout_answered.notify_waiters();
        }
    }

    async fn cancel(&mut self) {
        let taken = {
            let mut history = self.session.history();
            let free: Vec<usize> = (0..history.orders.len())
                .filter(|index| !history.orders[*index].busy && !history.orders[*index].cancelled)
                .collect();
            free.choose(&mut self.rng).map(|&index| {
                history.orders[index].busy = true;
                (index, history.orders[index].id.clone())
            })
        };
        let Some((order, id)) = taken else { return };
        let request = self.back_office("POST", format!("/v1/orders/{id}/cancel"), None);
        self.send(Meaning::Cancel { order }, request).await;
    }

    async fn read_a_cart(&mut self) {
        let Some(index) = self.shared_cart() else { return };
        let path = format!("/v1/carts/{}", self.session.history().carts[index].id);
        let Timed { sent, answered, outcome, .. } = self.read(Request::get(path)).await;
        if let Outcome::Acknowledged(answer) = outcome
            && let Some(snapshot) = snapshot_of(&answer.body)
        {
            self.session.history().cart_reads.push((index, cart::Read { snapshot, sent, answered }));
        }
    }

    async fn read(&mut self, request: Request) -> Timed {
        let timed = self.client.send(&request).await;
        self.session.note_read(&request.path, &timed);
        timed
    }

    async fn read_a_stock(&mut self) {
        let sku = self.sku();
        let request = Request::get(format!("/v1/inventory/{sku}")).by_service();
        let Timed { sent, answered, outcome, .. } = self.read(request).await;
        if let Outcome::Acknowledged(answer) = outcome
            && let Some(level) = level_of(&answer.body)
        {
            self.session.history().stock_reads.push((sku, stock::Read { level, sent, answered }));
        }
    }
}
