//! The directory of live entities: finds or starts an entity's actor, bounds what is sent to it, and serves readers
//! the last durable state without asking it.

mod actor;
mod hot_keys;
mod residency;
mod routing;
mod slot;
pub(crate) mod supervisor;
mod tally;
mod unavailable;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ractor::{ActorRuntime, MessagingErr};
use tokio::{sync::oneshot, time::Instant};

use self::{
    actor::{ActorDeps, Arguments, EntityActor},
    hot_keys::HotKeys,
    slot::{Ask, Message, NotRunning, Passivated, Reply, Slot},
    supervisor::Supervisors,
    tally::Residents,
    unavailable::{LoadError, not_confirmed},
};
use crate::{
    activation::Activation,
    admission::{AdmissionController, Permit},
    clock::ShopClock,
    commit::{group_commit::LaneHandle, write_behind::WriteBehind},
    deadline,
    entity::Resident,
    hydrate::Hydrated,
    ownership::routes::Routes,
    published::{Answer, Published},
    shed::shed,
    store::Store,
};
use smartcart_domain::{
    limits::{Limits, SHARDS},
    request::{ReadError, Request, RequestError},
    shard::ShardId,
    time::ShopTime,
};

pub use self::{
    hot_keys::HotKey,
    tally::{ResidencyConfig, ShardResidents},
};

/// All live entities of one kind.
pub struct Directory<E: Resident> {
    shards: Box<[Shard<E>]>,
    parts: Parts,
    /// Messages of one entity that wait at most.
    per_entity: u32,
    deadline: Duration,
    residency: ResidencyConfig,
    residents: Residents,
    hot_keys: HotKeys<E>,
    started: Instant,
    /// Seconds that this directory has lived when the sweep last looked: the clock of its residents' idleness.
    seconds: AtomicU32,
}

/// What a directory is built upon; shared between the kinds.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) write_behind: Arc<WriteBehind>,
    pub(crate) lanes: Arc<[LaneHandle]>,
    pub(crate) admission: Arc<AdmissionController>,
    pub(crate) supervisors: Arc<Supervisors>,
    pub(crate) clock: ShopClock,
    pub(crate) limits: Limits,
    pub(crate) routes: Routes,
}

struct Shard<E: Resident> {
    id: ShardId,
    /// Ids are drawn by us, and SKUs are the shop's: nobody can choose keys that collide, so a fast hash will do.
    slots: papaya::HashMap<E::Id, Arc<Slot<E>>, foldhash::fast::RandomState>,
    /// One load at a time, so that two requests never bring an entity in twice.
    loading: tokio::sync::Mutex<()>,
    deps: Arc<ActorDeps>,
}

impl<E: Resident> std::fmt::Debug for Directory<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("kind", &E::KIND).finish_non_exhaustive()
    }
}

impl<E: Resident> Directory<E> {
    pub(crate) fn new(
        parts: &Parts,
        per_entity: u32,
        deadline: Duration,
        residency: ResidencyConfig,
    ) -> Self {
        let deps: Vec<Arc<ActorDeps>> = parts
            .lanes
            .iter()
            .map(|lane| {
                Arc::new(ActorDeps { lane: lane.clone(), clock: parts.clock.clone(), limits: parts.limits })
            })
            .collect();
        // One for all maps: each has room for every thread, and keeps what was taken out of its maps until it has a batch.
        let collector = Arc::new(seize::Collector::new());
        let shard = |id: u16| Shard {
            id: ShardId(id),
            slots: papaya::HashMap::builder()
                .hasher(foldhash::fast::RandomState::default())
                .shared_collector(collector.clone())
                .build(),
            loading: tokio::sync::Mutex::new(()),
            deps: deps[usize::from(id) % deps.len()].clone(),
        };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            parts: parts.clone(),
            per_entity,
            deadline,
            residency,
            residents: Residents::new(&residency),
            hot_keys: HotKeys::default(),
            started: Instant::now(),
            seconds: AtomicU32::new(0),
        }
    }

    /// The last durable state, from this pod. Nothing: it never existed. Takes no actor's time.
    async fn read_owned(&self, id: &E::Id) -> Result<Option<Arc<Published<E>>>, LoadError> {
        let shard = self.shard(id);
        loop {
            let slot = match self.resident(shard, id) {
                Some(slot) => slot,
                None => match self.bring_in(shard, id).await? {
                    Some(slot) => slot,
                    None => return Ok(None),
                },
            };
            slot.used(self.seconds());
            if let Ok(published) = slot.read() {
                return Ok(published);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Sends a command to the entity's actor and waits until its answer is durable. The permit holds the
    /// shard's guard.
    async fn ask_owned(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
        deadline: Instant,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        self.parts.admission.admit_change(request.caller)?;
        // What changes nothing is answered without the journal, whose fence would tell.
        if !self.parts.routes.shards.is_confirmed() {
            return Err(not_confirmed().into());
        }
        let Some(slot) = self.slot(id, &request).await? else {
            let absent = E::absent(id);
            return Err(self.decide_absent(&absent, &request));
        };
        let (reply, answer) = oneshot::channel();
        self.send(id, slot, request, reply, deadline, permit).await?;
        match deadline::until(deadline, answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(RequestError::indeterminate("the entity's actor failed under way")),
            None => Err(RequestError::indeterminate("no answer in time")),
        }
    }

    /// What an entity that does not exist says: the rule alone knows.
    fn decide_absent(&self, absent: &E, request: &Request<E>) -> RequestError<E::Rejection> {
        let context = request.context(self.parts.clock.moment(), self.parts.limits);
        match absent.decide(&request.command, &context) {
            Err(rejection) => RequestError::Rejected(rejection),
            Ok(_) => RequestError::not_applied("the entity is not there"),
        }
    }

    async fn send(
        &self,
        id: &E::Id,
        mut slot: Arc<Slot<E>>,
        request: Request<E>,
        reply: Reply<E>,
        deadline: Instant,
        permit: Permit,
    ) -> Result<(), RequestError<E::Rejection>> {
        let shard = self.shard(id);
        self.hot_keys.count(id);
        loop {
            slot.used(self.seconds());
            let entered =
                slot.enter(self.per_entity).ok_or_else(|| shed(E::BUSY, Duration::from_millis(100)))?;
            match slot.actor(|passivated, published| self.start(shard, &slot, passivated, published)) {
                Ok(actor) => {
                    let ask = Ask { request, reply, deadline, permit, entered };
                    return match actor.send_message(Message::Ask(Box::new(ask))) {
                        Ok(()) => Ok(()),
                        Err(MessagingErr::SendErr(_) | MessagingErr::ChannelClosed) => {
                            Err(RequestError::not_applied("the entity's actor has just stopped"))
                        }
                        Err(MessagingErr::InvalidActorType) => {
                            Err(RequestError::not_applied("the actor is of another kind"))
                        }
                    };
                }
                Err(NotRunning::Failed) => self.rebuild(shard, &slot).await?,
                Err(NotRunning::Evicted) => {
                    tokio::task::yield_now().await;
                    slot = self
                        .slot(id, &request)
                        .await?
                        .ok_or_else(|| RequestError::not_applied("the entity is not there"))?;
                }
            }
        }
    }

    /// The entity's slot: resident, new, or brought in from the tables. Nothing: it never existed and this does not begin it.
    async fn slot(&self, id: &E::Id, request: &Request<E>) -> Result<Option<Arc<Slot<E>>>, LoadError> {
        let shard = self.shard(id);
        if let Some(slot) = self.resident(shard, id) {
            return Ok(Some(slot));
        }
        if !request.fresh
            && let Some(slot) = self.bring_in(shard, id).await?
        {
            return Ok(Some(slot));
        }
        if !E::begins(&request.command) {
            return Ok(None);
        }
        let _loading = shard.loading.lock().await;
        self.insert(shard, id, Hydrated::absent(id)).map(Some)
    }

    fn resident(&self, shard: &Shard<E>, id: &E::Id) -> Option<Arc<Slot<E>>> {
        shard.slots.pin().get(id).cloned()
    }

    async fn bring_in(&self, shard: &Shard<E>, id: &E::Id) -> Result<Option<Arc<Slot<E>>>, LoadError> {
        let _loading = shard.loading.lock().await;
        // From here on the shard does not leave before the load has ended: `clear` waits for the lock.
        if !self.parts.routes.shards.serves(shard.id) {
            return Err(LoadError::Moved);
        }
        if let Some(slot) = self.resident(shard, id).filter(|slot| slot.read().is_ok()) {
            return Ok(Some(slot));
        }
        self.load(id).await?.map(|hydrated| self.insert(shard, id, hydrated)).transpose()
    }

    async fn load(&self, id: &E::Id) -> Result<Option<Hydrated<E>>, ReadError> {
        // Whoever waits for them meanwhile holds up the shard, also those who need nothing of them.
        if self.parts.write_behind.tables_away() && self.parts.routes.is_cut_off() {
            return Err(ReadError("the tables do not answer".to_owned()));
        }
        let waiting = self.parts.write_behind.waiting(&E::key(id));
        Hydrated::load(&*self.parts.store, id, &waiting).await.map_err(|error| ReadError(error.to_string()))
    }

    /// Puts an entity that was brought in, or begins, into the map; the shard's load lock is held. Not when the shard
    /// has left meanwhile: what was loaded may be old.
    fn insert(&self, shard: &Shard<E>, id: &E::Id, hydrated: Hydrated<E>) -> Result<Arc<Slot<E>>, LoadError> {
        if !self.parts.routes.shards.serves(shard.id) {
            return Err(LoadError::Moved);
        }
        let slots = shard.slots.pin();
        if let Some(slot) = slots.get(id).filter(|slot| slot.read().is_ok()) {
            return Ok(slot.clone());
        }
        let (footprint, weight) = (hydrated.entity.footprint(), hydrated.entity.weight());
        let (published, passivated, deadline) = passivate(hydrated);
        let slot = Arc::new(Slot::new(id.clone(), published, passivated, deadline));
        slot.set_size(footprint, weight);
        slot.used(self.seconds());
        slots.insert(id.clone(), slot.clone());
        Ok(slot)
    }

    /// The shard is on its way to another pod, and the tables have all of it: nothing of it stays here.
    pub(crate) async fn clear(&self, shard: ShardId) {
        let shard = &self.shards[usize::from(shard.0)];
        let _loading = shard.loading.lock().await;
        let slots = shard.slots.pin();
        for slot in slots.values() {
            if let Some(actor) = slot.leave() {
                // Now and not with its supervisor: if the shard stays after all, nobody finds this actor any more.
                actor.stop(None);
            }
        }
        slots.clear();
    }

    /// After a failure: what was handed to the committer first comes to its end, then the entity is loaded again.
    async fn rebuild(&self, shard: &Shard<E>, slot: &Arc<Slot<E>>) -> Result<(), ReadError> {
        let _loading = shard.loading.lock().await;
        if slot.is_failed() {
            shard.deps.lane.barrier().await;
            let hydrated = self.load(&slot.id).await?.unwrap_or_else(|| Hydrated::absent(&slot.id));
            let (published, passivated, deadline) = passivate(hydrated);
            slot.restore(published, passivated, deadline);
        }
        Ok(())
    }

    fn start(
        &self,
        shard: &Shard<E>,
        slot: &Arc<Slot<E>>,
        passivated: Passivated<E>,
        published: Option<Arc<Published<E>>>,
    ) -> (ractor::ActorRef<Message<E>>, Arc<Activation>) {
        let entity = match &published {
            Some(published) => E::activate(&slot.id, published.view(), passivated.rest),
            None => E::absent(&slot.id),
        };
        let activation = Arc::new(Activation::starting_at(entity.version()));
        let arguments = Arguments {
            slot: slot.clone(),
            activation: activation.clone(),
            entity,
            keys: passivated.keys,
            changes_since_snapshot: passivated.changes_since_snapshot,
            published,
            deps: shard.deps.clone(),
        };
        let supervisor = self.parts.supervisors.of(shard.id);
        let (actor, _) =
            ActorRuntime::spawn_linked_instant(None, EntityActor::default(), arguments, supervisor)
                .expect("only a taken name keeps an actor from starting, and this one has none");
        (actor, activation)
    }

    fn shard(&self, id: &E::Id) -> &Shard<E> {
        &self.shards[usize::from(E::key(id).shard().0)]
    }

    fn seconds(&self) -> u32 {
        self.seconds.load(Ordering::Relaxed)
    }

    /// The clock of its residents' idleness, set on.
    #[expect(clippy::cast_possible_truncation, reason = "a process lives less than 136 years")]
    fn tick(&self) -> u32 {
        let seconds = self.started.elapsed().as_secs() as u32;
        self.seconds.store(seconds, Ordering::Relaxed);
        seconds
    }
}

type PassivatedParts<E> = (Option<Arc<Published<E>>>, Passivated<E>, Option<ShopTime>);

fn passivate<E: Resident>(hydrated: Hydrated<E>) -> PassivatedParts<E> {
    let Hydrated { entity, keys, changes_since_snapshot } = hydrated;
    let published = E::visible(&entity).then(|| Arc::new(Published::new(entity.view())));
    let deadline = entity.next_deadline();
    (published, Passivated { rest: entity.rest(), keys, changes_since_snapshot }, deadline)
}
