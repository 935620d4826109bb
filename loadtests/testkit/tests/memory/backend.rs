use std::sync::Arc;

use smartcart_domain::{id::IncarnationId, time::ShopTime};
use smartcart_engine::{
    Engine,
    journal::Journal,
    peers::Peers,
    registry::{Member, Registry},
    store::Store,
};
use smartcart_testkit::{
    conformance::backend::{Backend, Fleet, Pair, Shop, member},
    memory::{
        Database, MemoryJournal, MemoryPeers, MemoryRegistry, MemoryStore, Network, fixtures::joined_engine,
    },
};

pub(crate) struct Memory {
    pub(crate) database: Database,
    pub(crate) journal: MemoryJournal,
    pub(crate) store: MemoryStore,
    pub(crate) registry: MemoryRegistry,
}

impl Memory {
    pub(crate) async fn new() -> Self {
        let memory = Self::on(Database::default());
        for incarnation in [1, 2] {
            memory.registry.join(&member(incarnation), ShopTime(0)).await.unwrap();
        }
        memory
    }

    fn on(database: Database) -> Self {
        Self {
            journal: MemoryJournal::new(&database),
            store: MemoryStore::new(&database, Some(IncarnationId(1))),
            registry: MemoryRegistry::new(&database),
            database,
        }
    }
}

impl Backend for Memory {
    fn journal(&self) -> &dyn Journal {
        &self.journal
    }

    async fn restarted(self) -> Self {
        Self::on(self.database)
    }
}

impl Shop for Memory {
    fn store(&self) -> &dyn Store {
        &self.store
    }
}

impl Fleet for Memory {
    fn registry(&self) -> &dyn Registry {
        &self.registry
    }

    async fn registry_of(&self, _: IncarnationId) -> Arc<dyn Registry> {
        Arc::new(MemoryRegistry::new(&self.database))
    }
}

pub(crate) struct MemoryPair {
    engines: [Arc<Engine>; 2],
    members: [Member; 2],
    peers: Arc<MemoryPeers>,
}

impl MemoryPair {
    pub(crate) async fn new() -> Self {
        let (database, network) = (Database::default(), Network::default());
        let (owner, other) = (member(1), Member { owns_shards: false, ..member(2) });
        let (first, _) = joined(&database, &network, &owner).await;
        let (second, peers) = joined(&database, &network, &other).await;
        tokio::join!(first.open(), second.open());
        Self { engines: [first, second], members: [owner, other], peers }
    }
}

async fn joined(database: &Database, network: &Network, me: &Member) -> (Arc<Engine>, Arc<MemoryPeers>) {
    let peers = Arc::new(MemoryPeers::new(network));
    let engine = joined_engine(database, me, peers.clone()).await;
    network.listen(&me.address, engine.clone(), peers.faults());
    (engine, peers)
}

impl Pair for MemoryPair {
    fn engines(&self) -> [&Arc<Engine>; 2] {
        self.engines.each_ref()
    }

    fn members(&self) -> [&Member; 2] {
        self.members.each_ref()
    }

    fn peers(&self) -> &dyn Peers {
        &*self.peers
    }
}
