use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;
use ractor::ActorRef;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    activation::Activation,
    admission::Permit,
    entity::Resident,
    published::{Answer, Published},
};
use smartcart_domain::{
    entity::Entity,
    idempotency::IdempotencyWindow,
    request::{Request, RequestError},
    time::ShopTime,
};

pub(crate) type Reply<E> = oneshot::Sender<Result<Answer<E>, RequestError<<E as Entity>::Rejection>>>;

pub(crate) enum Message<E: Resident> {
    Ask(Box<Ask<E>>),
    /// Go to rest, unless there is something to do.
    Passivate,
}

pub(crate) struct Ask<E: Resident> {
    pub(crate) request: Request<E>,
    pub(crate) reply: Reply<E>,
    /// Not begun after this.
    pub(crate) deadline: Instant,
    pub(crate) permit: Permit,
    pub(crate) entered: Entered<E>,
}

/// Where an entity lives while it is in memory.
pub(crate) struct Slot<E: Resident> {
    pub(crate) id: E::Id,
    residence: Mutex<Residence<E>>,
    /// Messages sent and not handled.
    in_flight: AtomicU32,
    /// Seconds of the directory's clock.
    last_used: AtomicU32,
    /// Shop time at which a sweep wakes it; `i64::MAX`: never.
    deadline: AtomicI64,
    /// Bytes, about.
    footprint: AtomicU32,
    /// Elements: a cart's lines, a stock's holds.
    weight: AtomicU32,
}

struct Residence<E: Resident> {
    published: Option<Arc<Published<E>>>,
    body: Body<E>,
}

pub(crate) enum Body<E: Resident> {
    /// Its actor runs.
    Active { actor: ActorRef<Message<E>>, activation: Arc<Activation> },
    /// At rest in memory; all of it durable.
    Passivated(Passivated<E>),
    /// Its actor failed: what is in memory may be wrong.
    Failed,
    /// Evicted: this slot is no longer in the directory.
    Evicted,
}

pub(crate) struct Passivated<E: Resident> {
    pub(crate) rest: E::Rest,
    pub(crate) keys: IdempotencyWindow,
    /// Changes since the tables got a snapshot.
    pub(crate) changes_since_snapshot: u32,
}

impl<E: Resident> fmt::Debug for Slot<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("id", &self.id)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

/// What a slot can say of itself in a sweep.
pub(crate) struct Idle {
    pub(crate) active: bool,
    pub(crate) seconds: u32,
}

impl<E: Resident> Slot<E> {
    pub(crate) fn new(
        id: E::Id,
        published: Option<Arc<Published<E>>>,
        passivated: Passivated<E>,
        deadline: Option<ShopTime>,
    ) -> Self {
        let slot = Self {
            id,
            residence: Mutex::new(Residence { published, body: Body::Passivated(passivated) }),
            in_flight: AtomicU32::new(0),
            last_used: AtomicU32::new(0),
            deadline: AtomicI64::new(i64::MAX),
            footprint: AtomicU32::new(0),
            weight: AtomicU32::new(0),
        };
        slot.set_deadline(deadline);
        slot
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    pub(crate) fn used(&self, now: u32) {
        self.last_used.store(now, Ordering::Relaxed);
    }

    pub(crate) fn set_deadline(&self, deadline: Option<ShopTime>) {
        self.deadline.store(deadline.map_or(i64::MAX, |deadline| deadline.0), Ordering::Relaxed);
    }

    pub(crate) fn set_size(&self, bytes: usize, weight: usize) {
        self.footprint.store(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.weight.store(u32::try_from(weight).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(crate) fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    pub(crate) fn footprint(&self) -> u32 {
        self.footprint.load(Ordering::Relaxed)
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.residence.lock().body, Body::Failed)
    }

    pub(crate) fn is_due(&self, now: ShopTime) -> bool {
        self.deadline.load(Ordering::Relaxed) <= now.0
    }

    /// A message more in the mailbox, unless there are `limit`.
    pub(crate) fn enter(self: &Arc<Self>, limit: u32) -> Option<Entered<E>> {
        let entered = Entered(self.clone());
        (self.in_flight.fetch_add(1, Ordering::AcqRel) < limit).then_some(entered)
    }

    /// The last durable state, of which there may be none yet. `Err`: evicted; look it up again.
    pub(crate) fn read(&self) -> Result<Option<Arc<Published<E>>>, Gone> {
        match self.residence.lock() {
            residence if matches!(residence.body, Body::Evicted) => Err(Gone),
            residence => Ok(residence.published.clone()),
        }
    }

    /// The running actor; a resting one is started by `start`.
    pub(crate) fn actor(
        &self,
        start: impl FnOnce(Passivated<E>, Option<Arc<Published<E>>>) -> (ActorRef<Message<E>>, Arc<Activation>),
    ) -> Result<ActorRef<Message<E>>, NotRunning> {
        let mut residence = self.residence.lock();
        match std::mem::replace(&mut residence.body, Body::Failed) {
            Body::Active { actor, activation } => {
                residence.body = Body::Active { actor: actor.clone(), activation };
                Ok(actor)
            }
            Body::Passivated(passivated) => {
                let (actor, activation) = start(passivated, residence.published.clone());
                residence.body = Body::Active { actor: actor.clone(), activation };
                Ok(actor)
            }
            Body::Failed => Err(NotRunning::Failed),
            Body::Evicted => {
                residence.body = Body::Evicted;
                Err(NotRunning::Evicted)
            }
        }
    }

    /// Takes the state of an actor that is passivated, unless somebody is about to write to it.
    pub(crate) fn passivate(
        &self,
        activation: &Arc<Activation>,
        passivated: impl FnOnce() -> Passivated<E>,
    ) -> bool {
        let mut residence = self.residence.lock();
        let mine = matches!(&residence.body, Body::Active { activation: current, .. } if Arc::ptr_eq(current, activation));
        if !mine || self.in_flight() > 0 {
            return false;
        }
        residence.body = Body::Passivated(passivated());
        true
    }

    /// The next state is durable: readers see it from now on.
    pub(crate) fn publish(&self, published: Arc<Published<E>>, activation: &Activation) {
        let mut residence = self.residence.lock();
        activation.reach(published.version());
        let newer = residence.published.as_ref().is_none_or(|old| old.version() < published.version());
        if newer {
            residence.published = Some(published);
        }
    }

    /// This run of the actor is over and its state is not to be trusted. The actor, to be killed if it still runs.
    pub(crate) fn fail(&self, activation: &Arc<Activation>) -> Option<ActorRef<Message<E>>> {
        activation.poison();
        let mut residence = self.residence.lock();
        match &residence.body {
            Body::Active { activation: current, .. } if Arc::ptr_eq(current, activation) => {}
            _ => return None,
        }
        match std::mem::replace(&mut residence.body, Body::Failed) {
            Body::Active { actor, .. } => Some(actor),
            _ => None,
        }
    }

    /// Puts a state that was loaded again in the place of a failed one.
    pub(crate) fn restore(
        &self,
        published: Option<Arc<Published<E>>>,
        passivated: Passivated<E>,
        deadline: Option<ShopTime>,
    ) {
        let mut residence = self.residence.lock();
        if matches!(residence.body, Body::Failed) {
            residence.body = Body::Passivated(passivated);
            residence.published = published;
            self.set_deadline(deadline);
        }
    }

    pub(crate) fn idle(&self, now: u32) -> Idle {
        let active = matches!(self.residence.lock().body, Body::Active { .. });
        Idle { active, seconds: now.saturating_sub(self.last_used.load(Ordering::Relaxed)) }
    }

    pub(crate) fn running(&self) -> Option<ActorRef<Message<E>>> {
        match &self.residence.lock().body {
            Body::Active { actor, .. } => Some(actor.clone()),
            _ => None,
        }
    }

    pub(crate) fn forget_encoding(&self) {
        if let Some(published) = &self.residence.lock().published {
            published.forget_encoding();
        }
    }

    /// Leaves memory, when nobody uses it and nothing waits for its time. Whoever still has the slot finds it `Gone`.
    pub(crate) fn evict(&self) -> bool {
        let mut residence = self.residence.lock();
        let at_rest = matches!(residence.body, Body::Passivated(_));
        if !at_rest || self.in_flight() > 0 || self.deadline.load(Ordering::Relaxed) != i64::MAX {
            return false;
        }
        residence.body = Body::Evicted;
        true
    }

    /// Leaves memory with its shard. Its actor, idle by now, to be stopped.
    pub(crate) fn leave(&self) -> Option<ActorRef<Message<E>>> {
        match std::mem::replace(&mut self.residence.lock().body, Body::Evicted) {
            Body::Active { actor, .. } => Some(actor),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Gone;

#[derive(Debug)]
pub(crate) enum NotRunning {
    Failed,
    Evicted,
}

/// A message's place in a mailbox.
pub(crate) struct Entered<E: Resident>(Arc<Slot<E>>);

impl<E: Resident> Drop for Entered<E> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
