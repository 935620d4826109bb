//! One process as a member of its shop: the engine, and, in a fleet, the listener for its peers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use smartcart_engine::{clock::Clock, engine::Engine};

use crate::{
    config::{Config, PeerConfig, TrustConfig},
    storage::{PeerIdentity, Storage},
};
use smartcart_peers::{GrpcPeers, MessageSigner, PeerServer, PeerTls, Trust};

/// How long peers' last questions have when this pod ends.
const LAST_QUESTIONS: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Pod {
    pub engine: Arc<Engine>,
    pub storage: Storage,
    peers: Option<PeerServer>,
}

impl Pod {
    /// Alone: what the last run left is finished, and everything is served. In a fleet: joined, and every shard is served
    /// by somebody.
    pub async fn start(config: &Config, owns_shards: bool, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let peers = config.peers()?;
        let storage = Storage::open(&config.storage).await?;
        let Some(peers) = &peers else {
            let engine = storage.engine(config, None, clock).await.context("the shop cannot be opened")?;
            return Ok(Self { engine, storage, peers: None });
        };
        let trust = trust(peers)?;
        // Bound before anybody is told of it; answered as soon as the engine is there.
        let listener = PeerServer::bind(peers.listen).await?;
        let address = advertised(peers, listener.local_addr()?);
        let identity = PeerIdentity {
            pod: peers.pod.clone(),
            address,
            owns_shards,
            peers: Arc::new(GrpcPeers::new(trust.clone())),
        };
        let engine =
            storage.engine(config, Some(identity), clock).await.context("the fleet cannot be joined")?;
        if let Trust::Secret(seal) = &trust {
            seal.keep_time_by(engine.clock());
        }
        let server = PeerServer::start(listener, trust, engine.clone())?;
        tokio::select! {
            () = engine.open() => {}
            why = engine.failed() => anyhow::bail!(why),
        }
        Ok(Self { engine, storage, peers: Some(server) })
    }

    /// The shards go to other pods; requests go on.
    pub async fn leave(&self) {
        self.engine.leave().await;
    }

    /// What was accepted is finished and in the tables; everything is closed.
    pub async fn stop(self) {
        if let Some(peers) = self.peers {
            peers.stop(LAST_QUESTIONS).await;
        }
        self.engine.stop().await;
        self.storage.close().await;
    }
}

fn advertised(config: &PeerConfig, bound: SocketAddr) -> String {
    config.advertise.clone().unwrap_or_else(|| bound.to_string())
}

fn trust(config: &PeerConfig) -> anyhow::Result<Trust> {
    Ok(match &config.trust {
        TrustConfig::Secret(path) => Trust::Secret(Arc::new(MessageSigner::from_file(path)?)),
        TrustConfig::Tls(files) => Trust::Tls(PeerTls::load(files.clone())?),
    })
}
