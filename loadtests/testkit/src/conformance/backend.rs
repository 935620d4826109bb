//! A place that keeps things, and can be closed and opened again.

use std::sync::Arc;

use smartcart_domain::id::IncarnationId;
use smartcart_engine::{
    Engine,
    journal::Journal,
    peers::Peers,
    registry::{Member, MemberState, Registry},
    store::Store,
};

/// One that has a journal, in which the incarnations 1 and 2 may write.
pub trait Backend: Sized {
    fn journal(&self) -> &dyn Journal;
    fn restarted(self) -> impl Future<Output = Self>;
}

/// One that has tables too, which it writes as incarnation 1.
pub trait Shop: Backend {
    fn store(&self) -> &dyn Store;
}

/// One that several pods share: the members 1 and 2 have joined.
pub trait Fleet: Shop {
    fn registry(&self) -> &dyn Registry;
    /// The registry over the connections of another pod.
    fn registry_of(&self, incarnation: IncarnationId) -> impl Future<Output = Arc<dyn Registry>>;
}

/// Two pods that reach each other: the first owns every shard, the second none.
pub trait Pair {
    fn engines(&self) -> [&Arc<Engine>; 2];
    fn members(&self) -> [&Member; 2];
    /// The second pod's way to the others.
    fn peers(&self) -> &dyn Peers;
}

pub fn member(incarnation: u128) -> Member {
    Member {
        incarnation: IncarnationId(incarnation),
        pod: format!("pod-{incarnation}"),
        address: format!("127.0.0.1:{incarnation}"),
        owns_shards: true,
        heartbeat: 0,
        state: MemberState::Live,
        protocol: 1,
    }
}
