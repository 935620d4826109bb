//! The actor of one active entity: it decides, applies, and hands the committer what must become durable. It never waits:
//! the next message is taken at once, and nobody sees a state before it is durable.

use std::{marker::PhantomData, sync::Arc};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use crate::directory::slot::{Ask, Message, Passivated, Reply, Slot};
use crate::entity::Resident;
use crate::{
    activation::Activation,
    admission::Permit,
    published::{Answer, Published},
};
use crate::{
    clock::ShopClock,
    commit::group_commit::{CommitItem, LaneHandle},
};
use smartcart_domain::failure::Failure;
use smartcart_domain::request::{Request, RequestError};
use smartcart_domain::{
    change::Change,
    entity::Decision,
    idempotency::{IdempotencyWindow, KeyFingerprint, KeyRecord, Outcome},
    limits::Limits,
    time::Moment,
};

/// A snapshot goes to the tables with every change while it has at most this many elements; larger ones go when as many
/// changes have passed as they have elements, so that a change costs the same however large the entity is.
const SMALL_SNAPSHOT: usize = 16;

/// What an actor works with.
#[derive(Clone)]
pub(crate) struct ActorDeps {
    pub(crate) lane: LaneHandle,
    pub(crate) clock: ShopClock,
    pub(crate) limits: Limits,
}

pub(crate) struct EntityActor<E>(PhantomData<fn() -> E>);

impl<E> Default for EntityActor<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

pub(crate) struct Arguments<E: Resident> {
    pub(crate) slot: Arc<Slot<E>>,
    pub(crate) activation: Arc<Activation>,
    pub(crate) entity: E,
    pub(crate) keys: IdempotencyWindow,
    pub(crate) changes_since_snapshot: u32,
    pub(crate) published: Option<Arc<Published<E>>>,
    pub(crate) deps: Arc<ActorDeps>,
}

/// A live entity. Dropped without having been passivated, it was killed or has panicked: its slot must not trust it.
pub(crate) struct Live<E: Resident> {
    slot: Arc<Slot<E>>,
    activation: Arc<Activation>,
    entity: E,
    keys: IdempotencyWindow,
    changes_since_snapshot: u32,
    /// The view of the entity as it is now; not for others before it is durable.
    latest: Arc<Published<E>>,
    deps: Arc<ActorDeps>,
}

impl<E: Resident> Drop for Live<E> {
    fn drop(&mut self) {
        self.slot.fail(&self.activation);
    }
}

impl<E: Resident> Live<E> {
    fn new(arguments: Arguments<E>) -> Self {
        let Arguments { slot, activation, entity, keys, changes_since_snapshot, published, deps } = arguments;
        let latest = published.unwrap_or_else(|| Arc::new(Published::new(entity.view())));
        Self { slot, activation, entity, keys, changes_since_snapshot, latest, deps }
    }

    fn ask(&mut self, ask: Ask<E>) {
        let Ask { request, reply, deadline, permit, entered } = ask;
        if reply.is_closed() || Instant::now() > deadline {
            return;
        }
        let moment = self.deps.clock.moment();
        match self.consider(&request, moment) {
            Ok(Considered::Answer(outcome, replayed)) => {
                let answer = Answer { published: self.latest.clone(), outcome, replayed };
                self.answer_in_order(Ok(answer), reply, permit);
            }
            Ok(Considered::Change(decision)) => self.change(request.key, decision, moment, reply, permit),
            Err(refusal) => self.answer_in_order(Err(refusal), reply, permit),
        }
        drop(entered);
    }

    /// Replay, precondition, rule: in this order, so that a retry meets its own outcome.
    fn consider(
        &self,
        request: &Request<E>,
        moment: Moment,
    ) -> Result<Considered<E>, RequestError<E::Rejection>> {
        if let Some(guard) = request.key
            && let Some(record) = self.keys.get(guard.key).filter(|record| record.outcome.is_final())
        {
            if record.request != guard.request {
                return Err(RequestError::KeyReused);
            }
            return Ok(Considered::Answer(record.outcome.clone(), true));
        }
        let version = self.entity.version();
        if request.expected.is_some_and(|expected| expected != version) {
            return Err(RequestError::Stale { version });
        }
        let context = request.context(moment, self.deps.limits);
        let decision = self.entity.decide(&request.command, &context).map_err(|rejection| {
            E::observe_rejection(&rejection);
            RequestError::Rejected(rejection)
        })?;
        if decision.events.is_empty() && request.key.is_none() {
            return Ok(Considered::Answer(decision.outcome, false));
        }
        Ok(Considered::Change(decision))
    }

    fn change(
        &mut self,
        key: Option<KeyFingerprint>,
        decision: Decision<E::Event>,
        moment: Moment,
        reply: Reply<E>,
        permit: Permit,
    ) {
        let Decision { events, outcome, settles } = decision;
        let Moment { wall, shop, .. } = moment;
        self.entity.advance(&events, wall);
        let key = settles.or(key).map(|guard| KeyRecord {
            key: guard.key,
            request: guard.request,
            at: shop,
            outcome: outcome.clone(),
        });
        if let Some(record) = &key {
            self.keys.remember(record.clone());
        }
        let version = self.entity.version();
        let view = self.entity.view();
        self.latest = Arc::new(Published::new(view.clone()));
        self.slot.set_deadline(self.entity.next_deadline());
        self.slot.set_size(self.entity.footprint() + self.keys.len() * 96, self.entity.weight());

        let item = CommitItem {
            columns: self.entity.indexed_columns(&view),
            snapshot: self.snapshot_if_due(&view),
            change: Change { subject: E::subject(&self.slot.id, events), version, wall, shop, key },
            activation: self.activation.clone(),
            completion: Box::new(self.completion(outcome, reply, permit)),
        };
        self.deps.lane.submit(item);
    }

    fn snapshot_if_due(&mut self, view: &E::View) -> Option<smartcart_domain::snapshot::Snapshot> {
        let weight = self.entity.weight() + self.keys.len();
        if self.changes_since_snapshot as usize + SMALL_SNAPSHOT < weight {
            self.changes_since_snapshot += 1;
            return None;
        }
        self.changes_since_snapshot = 0;
        Some(self.entity.snapshot(view, &self.keys))
    }

    /// What happens when the change's fate is known: the view is published and the caller answered, or the actor dies.
    fn completion(
        &self,
        outcome: Outcome,
        reply: Reply<E>,
        permit: Permit,
    ) -> impl FnOnce(Result<(), Failure>) + Send + use<E> {
        let (slot, activation, published) = (self.slot.clone(), self.activation.clone(), self.latest.clone());
        move |fate| {
            let answer = match fate {
                Ok(()) => {
                    slot.publish(published.clone(), &activation);
                    Ok(Answer { published, outcome, replayed: false })
                }
                Err(failure) => {
                    if let Some(actor) = slot.fail(&activation) {
                        actor.kill();
                    }
                    Err(failure.into())
                }
            };
            // A caller that has gone does not hear it; what it asked for is durable all the same.
            let _gone = reply.send(answer);
            drop(permit);
        }
    }

    /// An answer that rests on states that are not durable yet waits until they are.
    fn answer_in_order(
        &self,
        answer: Result<Answer<E>, RequestError<E::Rejection>>,
        reply: Reply<E>,
        permit: Permit,
    ) {
        if self.activation.durable() == self.entity.version() {
            let _gone = reply.send(answer);
            return;
        }
        self.deps.lane.after(
            self.activation.clone(),
            Box::new(move |fate| {
                let _gone = reply.send(fate.map_err(RequestError::from).and(answer));
                drop(permit);
            }),
        );
    }

    /// Leaves its state in the slot, when all of it is durable and nobody has written.
    fn passivate(&mut self) -> bool {
        if self.activation.durable() != self.entity.version() {
            return false;
        }
        let Self { slot, activation, entity, keys, changes_since_snapshot, .. } = self;
        slot.passivate(activation, || Passivated {
            rest: std::mem::replace(entity, E::absent(&slot.id)).rest(),
            keys: std::mem::take(keys),
            changes_since_snapshot: *changes_since_snapshot,
        })
    }
}

enum Considered<E: Resident> {
    Answer(Outcome, bool),
    Change(Decision<E::Event>),
}

impl<E: Resident> Actor for EntityActor<E> {
    type Msg = Message<E>;
    type State = Live<E>;
    type Arguments = Arguments<E>;

    async fn pre_start(
        &self,
        _: ActorRef<Message<E>>,
        arguments: Arguments<E>,
    ) -> Result<Live<E>, ActorProcessingErr> {
        Ok(Live::new(arguments))
    }

    async fn handle(
        &self,
        myself: ActorRef<Message<E>>,
        message: Message<E>,
        live: &mut Live<E>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Ask(ask) => live.ask(*ask),
            Message::Passivate => {
                if live.passivate() {
                    myself.stop(None);
                }
            }
        }
        Ok(())
    }
}
