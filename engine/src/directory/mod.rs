//! The directory of live entities: finds or starts an entity's actor, bounds what is sent to it, and serves readers
//! the last durable state without asking it.

mod actor;
mod admission;
mod at_rest;
mod hot_keys;
mod published;
mod request;
mod residency;
mod routing;
mod slot;
mod supervisor;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use ractor::{ActorRuntime, MessagingErr};
use tokio::sync::oneshot;

use self::{
    actor::{Arguments, Ask, EntityActor, Message, World},
    hot_keys::HotKeys,
    request::NotHere,
    residency::Residents,
    slot::NotRunning,
};
pub use self::{
    admission::{AdmissionConfig, Gate, Shed},
    at_rest::AtRest,
    hot_keys::HotKey,
    published::Published,
    request::{Answer, Refusal, Request, Unavailable},
    residency::{ResidencyConfig, ShardResidents},
};
pub(crate) use self::{
    admission::{Away, Permit, Pressure, shed},
    at_rest::Assembled,
    slot::{Entered, Life, Slot, Warm},
    supervisor::Supervisors,
};
use crate::{
    commit::{LaneHandle, WriteBehind},
    deadline,
    entity::Entity,
    limits::{Limits, SHARDS},
    ownership::Routes,
    shard::ShardId,
    store::Store,
    time::{ShopClock, ShopTime},
};

/// All live entities of one kind.
pub struct Directory<E: Entity> {
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
    pub(crate) gate: Arc<Gate>,
    pub(crate) supervisors: Arc<Supervisors>,
    pub(crate) clock: ShopClock,
    pub(crate) limits: Limits,
    pub(crate) routes: Routes,
}

struct Shard<E: Entity> {
    id: ShardId,
    /// Ids are drawn by us, and SKUs are the shop's: nobody can choose keys that collide, so a fast hash will do.
    slots: papaya::HashMap<E::Id, Arc<Slot<E>>, foldhash::fast::RandomState>,
    /// One load at a time, so that two requests never bring an entity in twice.
    loading: tokio::sync::Mutex<()>,
    world: Arc<World>,
}

impl<E: Entity> std::fmt::Debug for Directory<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("kind", &E::KIND).finish_non_exhaustive()
    }
}

impl<E: AtRest> Directory<E> {
    pub(crate) fn new(
        parts: &Parts,
        per_entity: u32,
        deadline: Duration,
        residency: ResidencyConfig,
    ) -> Self {
        let worlds: Vec<Arc<World>> = parts
            .lanes
            .iter()
            .map(|lane| {
                Arc::new(World { lane: lane.clone(), clock: parts.clock.clone(), limits: parts.limits })
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
            world: worlds[usize::from(id) % worlds.len()].clone(),
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
    async fn read_here(&self, id: &E::Id) -> Result<Option<Arc<Published<E>>>, NotHere> {
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

    /// Sends a command to the entity's actor and waits until its answer is durable. The permit says that the request is
    /// inside the shard.
    async fn ask_here(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
        deadline: Instant,
    ) -> Result<Answer<E>, Refusal<E::Rejection>> {
        self.parts.gate.take(request.caller)?;
        // What changes nothing is answered without the journal, whose fence would tell.
        if !self.parts.routes.shards.is_confirmed() {
            return Err(Unavailable::not_confirmed().into());
        }
        let Some(slot) = self.slot(id, &request).await? else {
            let absent = E::absent(id);
            return Err(self.decide_absent(&absent, &request));
        };
        let (reply, answer) = oneshot::channel();
        self.send(id, slot, request, reply, deadline, permit).await?;
        match deadline::until(deadline, answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(Refusal::Unknown("the entity's actor failed under way".to_owned())),
            None => Err(Refusal::Unknown("no answer in time".to_owned())),
        }
    }

    /// What an entity that does not exist says: the rule alone knows.
    fn decide_absent(&self, absent: &E, request: &Request<E>) -> Refusal<E::Rejection> {
        let context = request.context(self.parts.clock.moment(), self.parts.limits);
        match absent.decide(&request.command, &context) {
            Err(rejection) => Refusal::Rejected(rejection),
            Ok(_) => Refusal::Unavailable("the entity is not there".to_owned()),
        }
    }

    async fn send(
        &self,
        id: &E::Id,
        mut slot: Arc<Slot<E>>,
        request: Request<E>,
        reply: actor::Reply<E>,
        deadline: Instant,
        permit: Permit,
    ) -> Result<(), Refusal<E::Rejection>> {
        let shard = self.shard(id);
        self.hot_keys.count(id);
        loop {
            slot.used(self.seconds());
            let entered =
                slot.enter(self.per_entity).ok_or_else(|| shed(E::BUSY, Duration::from_millis(100)))?;
            match slot.actor(|warm, published| self.start(shard, &slot, warm, published)) {
                Ok(actor) => {
                    let ask = Ask { request, reply, deadline, permit, entered };
                    return match actor.send_message(Message::Ask(Box::new(ask))) {
                        Ok(()) => Ok(()),
                        Err(MessagingErr::SendErr(_) | MessagingErr::ChannelClosed) => {
                            Err(Refusal::Unavailable("the entity's actor has just stopped".to_owned()))
                        }
                        Err(MessagingErr::InvalidActorType) => {
                            Err(Refusal::Unavailable("the actor is of another kind".to_owned()))
                        }
                    };
                }
                Err(NotRunning::Failed) => self.rebuild(shard, &slot).await?,
                Err(NotRunning::Gone) => {
                    tokio::task::yield_now().await;
                    slot = self
                        .slot(id, &request)
                        .await?
                        .ok_or_else(|| Refusal::Unavailable("the entity is not there".to_owned()))?;
                }
            }
        }
    }

    /// The entity's slot: resident, new, or brought in from the tables. Nothing: it never existed and this does not begin it.
    async fn slot(&self, id: &E::Id, request: &Request<E>) -> Result<Option<Arc<Slot<E>>>, NotHere> {
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
        self.insert(shard, id, Assembled::absent(id)).map(Some)
    }

    fn resident(&self, shard: &Shard<E>, id: &E::Id) -> Option<Arc<Slot<E>>> {
        shard.slots.pin().get(id).cloned()
    }

    async fn bring_in(&self, shard: &Shard<E>, id: &E::Id) -> Result<Option<Arc<Slot<E>>>, NotHere> {
        let _loading = shard.loading.lock().await;
        // From here on the shard does not leave before the load has ended: `clear` waits for the lock.
        if !self.parts.routes.shards.serves(shard.id) {
            return Err(NotHere::Moved);
        }
        if let Some(slot) = self.resident(shard, id).filter(|slot| slot.read().is_ok()) {
            return Ok(Some(slot));
        }
        self.load(id).await?.map(|assembled| self.insert(shard, id, assembled)).transpose()
    }

    async fn load(&self, id: &E::Id) -> Result<Option<Assembled<E>>, Unavailable> {
        // Whoever waits for them meanwhile keeps the shard's door shut, also to those who need nothing of them.
        if self.parts.write_behind.tables_away() && self.parts.routes.is_cut_off() {
            return Err(Unavailable("the tables do not answer".to_owned()));
        }
        let waiting = self.parts.write_behind.waiting(&E::key(id));
        Ok(Assembled::load(&*self.parts.store, id, &waiting).await?)
    }

    /// Puts an entity that was brought in, or begins, into the map; the shard's load lock is held. Not when the shard
    /// has left meanwhile: what was loaded may be old.
    fn insert(&self, shard: &Shard<E>, id: &E::Id, assembled: Assembled<E>) -> Result<Arc<Slot<E>>, NotHere> {
        if !self.parts.routes.shards.serves(shard.id) {
            return Err(NotHere::Moved);
        }
        let slots = shard.slots.pin();
        if let Some(slot) = slots.get(id).filter(|slot| slot.read().is_ok()) {
            return Ok(slot.clone());
        }
        let (footprint, weight) = (assembled.entity.footprint(), assembled.entity.weight());
        let (published, warm, deadline) = settle_down(assembled);
        let slot = Arc::new(Slot::new(id.clone(), published, warm, deadline));
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
            slot.leave();
        }
        slots.clear();
    }

    /// After a failure: what was handed to the committer first comes to its end, then the entity is loaded again.
    async fn rebuild(&self, shard: &Shard<E>, slot: &Arc<Slot<E>>) -> Result<(), Unavailable> {
        let _loading = shard.loading.lock().await;
        if slot.is_failed() {
            shard.world.lane.barrier().await;
            let assembled = self.load(&slot.id).await?.unwrap_or_else(|| Assembled::absent(&slot.id));
            let (published, warm, deadline) = settle_down(assembled);
            slot.restore(published, warm, deadline);
        }
        Ok(())
    }

    fn start(
        &self,
        shard: &Shard<E>,
        slot: &Arc<Slot<E>>,
        warm: Warm<E>,
        published: Option<Arc<Published<E>>>,
    ) -> (ractor::ActorRef<Message<E>>, Arc<Life>) {
        let entity = match &published {
            Some(published) => E::wake(&slot.id, published.view(), warm.rest),
            None => E::absent(&slot.id),
        };
        let life = Arc::new(Life::starting_at(entity.version()));
        let arguments = Arguments {
            slot: slot.clone(),
            life: life.clone(),
            entity,
            warm_keys: warm.keys,
            since_image: warm.since_image,
            published,
            world: shard.world.clone(),
        };
        let supervisor = self.parts.supervisors.of(shard.id);
        let (actor, _) =
            ActorRuntime::spawn_linked_instant(None, EntityActor::default(), arguments, supervisor)
                .expect("only a taken name keeps an actor from starting, and this one has none");
        (actor, life)
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

type AtRestParts<E> = (Option<Arc<Published<E>>>, Warm<E>, Option<ShopTime>);

fn settle_down<E: AtRest>(assembled: Assembled<E>) -> AtRestParts<E> {
    let Assembled { entity, keys, since_image } = assembled;
    let published = E::visible(&entity).then(|| Arc::new(Published::new(entity.view())));
    let deadline = entity.next_deadline();
    (published, Warm { rest: entity.rest(), keys, since_image }, deadline)
}
