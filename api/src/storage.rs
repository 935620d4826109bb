//! Where everything durable is kept: two SQLite files of one process, or a PostgreSQL that pods share.

use std::sync::Arc;

use smartcart_domain::id::IncarnationId;
use smartcart_engine::{
    clock::Clock,
    engine::{Engine, Fleet, StartError},
    journal::{Journal, JournalPlacement},
    membership::FleetConfig,
    payment::InvoiceGateway,
    registry::{Member, MemberState},
    store::Store,
};
use smartcart_persistence::{
    failover::FailoverJournal,
    postgres::{self, Shared},
    sqlite::{self, Embedded},
};
use smartcart_wire::peer::PROTOCOL;

use crate::config::{Config, StorageConfig};
use smartcart_peers::GrpcPeers;

/// Opened for this process.
#[derive(Debug)]
pub enum Storage {
    Embedded(Embedded),
    /// With this process's incarnation, and its journal in Redis if it has one.
    Shared(Shared, IncarnationId, Option<Arc<FailoverJournal>>),
}

/// How a pod is known to its peers.
#[derive(Debug)]
pub struct PeerIdentity {
    pub pod: String,
    pub address: String,
    pub owns_shards: bool,
    pub peers: Arc<GrpcPeers>,
}

impl Storage {
    pub async fn open(config: &StorageConfig) -> anyhow::Result<Self> {
        if !config.is_shared() {
            return Ok(Self::Embedded(sqlite::open(&config.database_url, config.missing_changes).await?));
        }
        let incarnation = IncarnationId::random();
        let shared = postgres::open(&config.database_url, Some(incarnation)).await?;
        let failover = match &config.journal {
            Some(settings) => {
                Some(Arc::new(FailoverJournal::open(settings, shared.journal.clone(), incarnation).await?))
            }
            None => None,
        };
        Ok(Self::Shared(shared, incarnation, failover))
    }

    /// Brings the tables to this version's schema.
    pub async fn migrate(config: &StorageConfig) -> anyhow::Result<()> {
        if config.is_shared() {
            postgres::migrate(&config.database_url).await?;
        } else {
            sqlite::migrate(&config.database_url).await?;
        }
        Ok(())
    }

    /// The two files, which a backup copies.
    pub const fn embedded(&self) -> Option<&Embedded> {
        match self {
            Self::Embedded(embedded) => Some(embedded),
            Self::Shared(..) => None,
        }
    }

    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(embedded) => embedded.store.clone(),
            Self::Shared(shared, ..) => shared.store.clone(),
        }
    }

    fn journal(&self) -> Arc<dyn Journal> {
        match self {
            Self::Embedded(embedded) => embedded.journal.clone(),
            Self::Shared(_, _, Some(failover)) => failover.clone(),
            Self::Shared(shared, ..) => shared.journal.clone(),
        }
    }

    /// Starts the engine on it: a single process, or a pod, which serves once `Engine::open` returns.
    pub async fn engine(
        &self,
        config: &Config,
        identity: Option<PeerIdentity>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Engine>, StartError> {
        let (journal, store) = (self.journal(), self.store());
        let gateway = Arc::new(InvoiceGateway);
        match (self, identity) {
            (Self::Shared(shared, incarnation, failover), Some(identity)) => {
                let PeerIdentity { pod, address, owns_shards, peers } = identity;
                let member = Member {
                    incarnation: *incarnation,
                    pod,
                    address,
                    owns_shards,
                    heartbeat: 0,
                    state: MemberState::Live,
                    protocol: PROTOCOL,
                };
                let registry = shared.registry.clone();
                let placement = failover.clone().map(|failover| -> Arc<dyn JournalPlacement> { failover });
                let fleet = Fleet { member, registry, peers, placement, config: FleetConfig::default() };
                Engine::join(config.engine, fleet, journal, store, clock, gateway).await
            }
            _ => Engine::start(config.engine, journal, store, clock, gateway).await,
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Embedded(embedded) => {
                embedded.store.close().await;
                embedded.journal.close().await;
            }
            Self::Shared(shared, _, failover) => {
                if let Some(failover) = failover {
                    failover.close().await;
                }
                shared.close().await;
            }
        }
    }
}
