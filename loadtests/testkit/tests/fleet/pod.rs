//! One pod: an engine, and the ports by which it can be hurt.

use std::{sync::Arc, time::Duration};

use rand::RngExt as _;
use smartcart_domain::id::IncarnationId;
use smartcart_engine::{
    Config, Engine, commit::WriteBehindConfig, engine::Fleet, journal::JournalPlacement,
    membership::FleetConfig, payment::InvoiceGateway, registry::Member,
};
use smartcart_testkit::{
    memory::{
        JournalFault, MemoryJournal, MemoryPeers, MemoryPlacement, MemoryRegistry, MemoryStore, Network,
        PeerFault, RegistryFault, StoreFault, Weather, fixtures::live_member,
    },
    random::{Fork as _, Rng},
};
use tokio::sync::watch;

use crate::{clock::TokioClock, world::World};

pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) engine: Arc<Engine>,
    member: Member,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) placement: Option<Arc<MemoryPlacement>>,
    pub(crate) registry: Arc<MemoryRegistry>,
    peers: Arc<MemoryPeers>,
    network: Network,
    dead: watch::Sender<bool>,
}

/// How rough the seed's weather is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roughness {
    /// One call in so many fails; 0: none.
    pub(crate) one_in: u32,
    /// Of the registry's alone.
    pub(crate) registry_alone: bool,
    /// The journals can do without the registry.
    pub(crate) placed: bool,
    /// Members must have been the same for this long before shards are moved.
    pub(crate) rebalance_after: Duration,
}

/// Nobody rebalances within a run.
const NEVER: Duration = Duration::from_secs(3600);

impl Roughness {
    pub(crate) const CALM: Self =
        Self { one_in: 0, registry_alone: false, placed: false, rebalance_after: NEVER };
}

impl Pod {
    pub(crate) async fn join(world: &World, name: &str, rng: &mut Rng, rough: Roughness) -> Arc<Self> {
        let incarnation = IncarnationId(rng.random());
        let member = live_member(name, incarnation);
        let journal = Arc::new(MemoryJournal::new(&world.database));
        let store = Arc::new(MemoryStore::new(&world.database, Some(incarnation)));
        let registry = Arc::new(MemoryRegistry::new(&world.database));
        let peers = Arc::new(MemoryPeers::new(&world.network));
        let placement =
            rough.placed.then(|| Arc::new(MemoryPlacement::new(&world.database, journal.faults())));
        let config = FleetConfig { rebalance_delay: rough.rebalance_after, ..FleetConfig::default() };
        let fleet = Fleet {
            member: member.clone(),
            registry: registry.clone(),
            peers: peers.clone(),
            placement: placement.clone().map(|placement| -> Arc<dyn JournalPlacement> { placement }),
            config,
        };
        let write_behind = WriteBehindConfig { interval: Duration::from_millis(300), ..Default::default() };
        let engine = Engine::join(
            Config { write_behind, ..Config::default() },
            fleet,
            journal.clone(),
            store.clone(),
            Arc::new(TokioClock::starting_now()),
            Arc::new(InvoiceGateway),
        );
        let engine = engine.await.unwrap();
        world.network.listen(&member.address, engine.clone(), peers.faults());
        let dead = watch::Sender::new(false);
        let pod = Arc::new(Self {
            name: name.to_owned(),
            engine,
            member,
            journal,
            store,
            placement,
            registry,
            peers,
            network: world.network.clone(),
            dead,
        });
        pod.under(rng, rough);
        tokio::spawn(pod.clone().exit_when_failed());
        pod
    }

    /// A pod that can change nothing any more exits.
    async fn exit_when_failed(self: Arc<Self>) {
        let mut dead = self.dead.subscribe();
        tokio::select! {
            _ = self.engine.failed() => self.kill(),
            _ = dead.wait_for(|dead| *dead) => {}
        }
    }

    fn under(&self, rng: &Rng, rough: Roughness) {
        const LATE: Duration = Duration::from_millis(40);
        let Roughness { one_in, registry_alone, .. } = rough;
        let others = if registry_alone { 0 } else { one_in };
        let (rng, delay) = (|part| rng.fork(part), 50..3_000);
        self.journal.faults().set_weather(Weather {
            rng: rng(1),
            delay: delay.clone(),
            faults: vec![
                JournalFault::NotTaken,
                JournalFault::LoseRequest,
                JournalFault::LoseAnswer,
                JournalFault::ArriveLate(LATE),
            ],
            one_in: others,
        });
        let faults = vec![StoreFault::Fail, StoreFault::LoseAnswer];
        self.store.faults().set_weather(Weather {
            rng: rng(2),
            delay: delay.clone(),
            faults,
            one_in: others,
        });
        let faults = vec![RegistryFault::Unreachable, RegistryFault::LoseAnswer, RegistryFault::OldView];
        self.registry.faults().set_weather(Weather { rng: rng(3), delay: delay.clone(), faults, one_in });
        let faults = vec![
            PeerFault::Refuse,
            PeerFault::DropRequest,
            PeerFault::DropAnswer,
            PeerFault::BreakConnection,
            // Not `RepeatLate`: a checkout's hold that arrives again when its units are sold is placed again, and a sale that is
            // asked for again then sells it. Nothing tells the SKU that it has sold to this order before.
            PeerFault::Repeat,
        ];
        self.peers.faults().set_weather(Weather { rng: rng(4), delay, faults, one_in: others });
    }

    pub(crate) const fn incarnation(&self) -> IncarnationId {
        self.member.incarnation
    }

    /// As `kill -9`: nothing of it reaches anybody any more.
    pub(crate) fn kill(&self) {
        self.dead.send_replace(true);
        self.network.close(&self.member.address);
        self.journal.faults().cut();
        self.store.faults().cut();
        self.registry.faults().cut();
        self.peers.faults().cut();
    }

    /// As a suspended machine: what it says, and what it is told, waits.
    pub(crate) fn pause(&self) {
        self.journal.faults().hold();
        self.store.faults().hold();
        self.registry.faults().hold();
        self.peers.faults().hold();
    }

    /// The registry is away for it, until it resumes.
    pub(crate) fn lose_registry(&self) {
        self.registry.faults().go_away();
    }

    /// The registry and the tables are.
    pub(crate) fn lose_database(&self) {
        self.lose_registry();
        self.store.faults().go_away();
    }

    /// Its next append suffers this.
    pub(crate) fn hurt_journal(&self, fault: JournalFault) {
        self.journal.faults().inject([fault]);
    }

    /// Its next questions to others suffer these.
    pub(crate) fn hurt_peers(&self, faults: &[PeerFault]) {
        self.peers.faults().inject(faults.iter().copied());
    }

    /// Faults that its ports have suffered.
    pub(crate) fn struck(&self) -> u64 {
        self.journal.faults().struck()
            + self.store.faults().struck()
            + self.registry.faults().struck()
            + self.peers.faults().struck()
    }

    pub(crate) fn resume(&self) {
        self.journal.faults().restore();
        self.store.faults().restore();
        self.registry.faults().restore();
        self.peers.faults().restore();
    }

    pub(crate) fn calm(&self) {
        self.journal.faults().calm();
        self.store.faults().calm();
        self.registry.faults().calm();
        self.peers.faults().calm();
    }

    pub(crate) fn is_alive(&self) -> bool {
        !*self.dead.borrow() && self.engine.status().read_only.is_none()
    }

    /// What a client hears of a call: nothing, when the pod dies before it answers.
    pub(crate) async fn hear<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let mut dead = self.dead.subscribe();
        tokio::select! {
            answer = tokio::time::timeout(PATIENCE, call) => answer.ok(),
            _ = dead.wait_for(|dead| *dead) => None,
        }
    }
}
