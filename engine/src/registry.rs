//! The registry: who belongs to a fleet, and who owns each shard.

use async_trait::async_trait;

use smartcart_domain::{failure::Failure, id::IncarnationId, shard::ShardId, time::ShopTime};

/// Raised by one each time a shard changes hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// Whether a member may write, and be given shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// May write, and own shards.
    Live,
    /// Hands its shards over and will go; may still write.
    Leaving,
    /// Fenced: it can write nothing. Its journal is not finished yet.
    Dead,
}

impl MemberState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Leaving => "leaving",
            Self::Dead => "dead",
        }
    }
}

/// One start of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub incarnation: IncarnationId,
    /// The pod's name, the same after a restart.
    pub pod: String,
    /// Where its peers reach it: `host:port`.
    pub address: String,
    /// Whether it takes shards; the stateless targets do not.
    pub owns_shards: bool,
    /// Raised at each heartbeat.
    pub heartbeat: u64,
    pub state: MemberState,
    /// The peer protocol's version that it speaks.
    pub protocol: u32,
}

#[cfg(test)]
impl Member {
    /// One that lives and owns shards.
    pub(crate) fn live(pod: &str, incarnation: u128) -> Self {
        Self {
            incarnation: IncarnationId(incarnation),
            pod: pod.to_owned(),
            address: String::new(),
            owns_shards: true,
            heartbeat: 1,
            state: MemberState::Live,
            protocol: 1,
        }
    }
}

/// Who owns a shard, and since which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardRow {
    pub shard: ShardId,
    pub epoch: Epoch,
    pub owner: Option<IncarnationId>,
}

/// What a heartbeat brought back.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Everybody who is not gone, oneself included; one's own counter may be the one before this heartbeat.
    pub members: Vec<Member>,
    /// The furthest shop time that any member has told, living or dead.
    pub shop: ShopTime,
    pub catalog_generation: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Every call here may be repeated. `Fenced`: this incarnation has been declared dead, or was never there.
    #[error("the registry failed: {0}")]
    Failed(#[from] Failure),
    #[error("the registry holds what this version cannot read: {0}")]
    Corrupt(String),
}

impl RegistryError {
    pub const fn is_fenced(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.is_fenced())
    }
}

/// The sole right to finish a dead member's write-behind; given up when it is dropped, or its connection breaks.
/// Two who hold it at once do no harm: what they write is the same.
#[async_trait]
pub trait Takeover: Send + Sync {
    /// The tables have all of the dead member's journal: reassigns its shards, each with its epoch plus one, and
    /// forgets the member. A shard whose new owner is not live any more is left without owner. Repeated: nothing happens.
    async fn finish(self: Box<Self>, new_owners: &[(ShardId, IncarnationId)]) -> Result<(), RegistryError>;
}

/// Members and shards in the system of record. Every change of it is one transaction. Two kinds of lock, both given back
/// by the database when a connection breaks: *shared* on an incarnation (its own appends, flushes and handovers, and
/// those who hand it a shard) and *exclusive* (whoever declares it dead), so that what is in flight ends first.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Enters a new member, `Live`, and makes the shards' rows if there are none yet.
    async fn join(&self, member: &Member, shop: ShopTime) -> Result<(), RegistryError>;

    /// Raises one's own counter, tells one's shop time, and reads everybody. `Fenced` when one is not `Live` or `Leaving`.
    async fn heartbeat(&self, me: IncarnationId, shop: ShopTime) -> Result<Heartbeat, RegistryError>;

    /// Every shard, in order.
    async fn shards(&self) -> Result<Vec<ShardRow>, RegistryError>;

    /// Takes shards that nobody owns, each with its epoch plus one. Those that are mine afterwards.
    async fn claim(&self, me: IncarnationId, shards: &[ShardId]) -> Result<Vec<ShardRow>, RegistryError>;

    /// Gives shards away that are mine at these epochs, each with its epoch plus one: to a member that is `Live`, or to
    /// nobody. Those that changed hands; the others are as they were (somebody is not live).
    ///
    /// A call that was abandoned has ended without effect, or the next call for the same shards waits until it has ended: what
    /// the next one finds is what stays. Otherwise whoever asks again could open a shard that the first call still gives away.
    async fn hand_over(
        &self,
        me: IncarnationId,
        to: Option<IncarnationId>,
        shards: &[(ShardId, Epoch)],
    ) -> Result<Vec<ShardRow>, RegistryError>;

    /// From now on one is not given shards.
    async fn leave(&self, me: IncarnationId) -> Result<(), RegistryError>;

    /// Forgets oneself: owns nothing, and the tables have all of one's journal.
    async fn deregister(&self, me: IncarnationId) -> Result<(), RegistryError>;

    /// Fences a member: waits for what it has in flight, then writes `Dead`. From then on it can write nothing.
    /// `by` must be live itself. Whether the member is dead now; false when it was gone.
    async fn declare_dead(&self, by: IncarnationId, member: IncarnationId) -> Result<bool, RegistryError>;

    /// The sole right to finish a dead member's write-behind. Nothing: somebody else is at it, or it is gone.
    async fn take_over(&self, dead: IncarnationId) -> Result<Option<Box<dyn Takeover>>, RegistryError>;

    /// Returns when members, shards, the catalogue, or ended sessions may have changed (LISTEN). A hint: it may come
    /// for nothing, and it may be missed while the connection is down, so whoever waits looks now and then all the same.
    async fn changed(&self);
}
