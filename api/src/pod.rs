//! One process as a member of its shop: the engine, and, in a fleet, the listener for its peers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use smartcart_engine::{
    clock::Clock,
    engine::{Engine, Unfinished},
};

use crate::{
    config::{Config, PeerConfig, TrustConfig},
    storage::{PeerIdentity, Storage},
};
use smartcart_peers::{GrpcPeers, MessageSigner, PeerServer, PeerTls, Trust};

/// How long requests of peers may take to finish when this pod stops.
const PEER_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Pod {
    pub engine: Arc<Engine>,
    pub storage: Storage,
    peers: Option<PeerServer>,
}

impl Pod {
    /// A single process has then finished the write-behind of the last run and serves everything. A pod has joined its fleet,
    /// and every shard has an owner.
    pub async fn start(config: &Config, owns_shards: bool, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let peers = config.peers()?;
        let storage = Storage::open(&config.storage).await?;
        let Some(peers) = &peers else {
            let engine = storage.engine(config, None, clock).await.context("cannot open the shop")?;
            return Ok(Self { engine, storage, peers: None });
        };
        let trust = trust(peers)?;
        // Bound before other pods learn the address; it answers as soon as the engine exists.
        let listener = PeerServer::bind(peers.listen).await?;
        let address = advertised(peers, listener.local_addr()?);
        let identity = PeerIdentity {
            pod: peers.pod.clone(),
            address,
            owns_shards,
            peers: Arc::new(GrpcPeers::new(trust.clone())),
        };
        let engine = storage.engine(config, Some(identity), clock).await.context("cannot join the fleet")?;
        if let Trust::Secret(signer) = &trust {
            signer.keep_time_by(engine.clock());
        }
        let server = PeerServer::start(listener, trust, engine.clone())?;
        tokio::select! {
            () = engine.open() => {}
            why = engine.failed() => anyhow::bail!(why),
        }
        Ok(Self { engine, storage, peers: Some(server) })
    }

    /// Hands the shards over to other pods; requests are still served.
    pub async fn leave(&self) {
        self.engine.leave().await;
    }

    /// Finishes and flushes what was accepted, and closes everything.
    pub async fn stop(self) -> Result<(), Unfinished> {
        if let Some(peers) = self.peers {
            peers.stop(PEER_GRACE).await;
        }
        let finished = self.engine.stop().await;
        self.storage.close().await;
        finished
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
