//! Two pods on ports in memory, each with a listener for peers.

use std::{fs, sync::Arc};

use smartcart_engine::{Engine, peers::Peers, registry::Member};
use smartcart_peers::{GrpcPeers, MessageSigner, PeerServer, PeerTls, Trust};
use smartcart_testkit::{
    conformance::backend::{Pair, member},
    memory::{Database, fixtures::joined_engine},
};

use crate::certificates;

struct Pod {
    engine: Arc<Engine>,
    member: Member,
    peers: Arc<GrpcPeers>,
    _server: PeerServer,
}

impl Pod {
    async fn join(database: &Database, mut me: Member, trust: Trust) -> Self {
        let listener = PeerServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        me.address = listener.local_addr().unwrap().to_string();
        let peers = Arc::new(GrpcPeers::new(trust.clone()));
        let engine = joined_engine(database, &me, peers.clone()).await;
        if let Trust::Secret(signer) = &trust {
            signer.keep_time_by(engine.clock());
        }
        let server = PeerServer::start(listener, trust, engine.clone()).unwrap();
        Self { engine, member: me, peers, _server: server }
    }
}

/// Pods that know each other by certificates, or else sign what they say.
pub(crate) struct Pods<const TLS: bool>([Pod; 2]);

pub(crate) type Signed = Pods<false>;
pub(crate) type Tls = Pods<true>;

impl<const TLS: bool> Pods<TLS> {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trust: Box<dyn Fn() -> Trust> = if TLS {
            let files = certificates::write(folder.path());
            Box::new(move || Trust::Tls(PeerTls::load(files.clone()).unwrap()))
        } else {
            let path = folder.path().join("secret");
            fs::write(&path, "a secret of no less than 32 bytes").unwrap();
            Box::new(move || Trust::Secret(Arc::new(MessageSigner::from_file(&path).unwrap())))
        };
        let database = Database::default();
        let owner = Pod::join(&database, member(1), trust()).await;
        let other = Pod::join(&database, Member { owns_shards: false, ..member(2) }, trust()).await;
        tokio::join!(owner.engine.open(), other.engine.open());
        Self([owner, other])
    }
}

impl<const TLS: bool> Pair for Pods<TLS> {
    fn engines(&self) -> [&Arc<Engine>; 2] {
        self.0.each_ref().map(|pod| &pod.engine)
    }

    fn members(&self) -> [&Member; 2] {
        self.0.each_ref().map(|pod| &pod.member)
    }

    fn peers(&self) -> &dyn Peers {
        &*self.0[1].peers
    }
}
