//! The journal: where an accepted change becomes durable.

use async_trait::async_trait;

use smartcart_domain::{
    entry::{Entry, Lane},
    failure::Failure,
    id::IncarnationId,
};

/// An append-only log of one incarnation in a few lanes. One conformance suite serves every implementation.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Makes an entry durable. The same entry again is accepted once (so an unknown outcome is settled by asking again).
    async fn append(&self, entry: &Entry) -> Result<(), AppendError>;

    /// After this nothing can be appended for the incarnation, whoever tries, and whoever was told by the journal itself that
    /// it is not sealed believes it no longer. Sealing again changes nothing.
    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError>;

    /// At most `limit` entries of a lane with a higher sequence than `after`, in order.
    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError>;

    /// Forgets entries up to and including `through`. The lane's last number stays known.
    async fn trim(&self, incarnation: IncarnationId, lane: Lane, through: u64) -> Result<(), JournalError>;

    /// Every incarnation of which there is something, with each lane's last sequence.
    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError>;

    /// The last sequence of each lane of an incarnation of which there is something. What is said of a sealed one stays so.
    async fn last(&self, incarnation: IncarnationId) -> Result<Vec<(Lane, u64)>, JournalError> {
        let known = self.incarnations().await?;
        let one = known.into_iter().find(|(known, _)| *known == incarnation);
        Ok(one.map_or_else(Vec::new, |(_, lanes)| lanes))
    }

    /// Forgets a sealed incarnation whole, once the tables have all of it.
    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError>;

    /// Lanes worth having: appends that overlap.
    fn lanes(&self) -> u16;
}

/// What is asked of a pod's journal that is not beside the tables: it decides where entries become durable, keeps copies of
/// them in memory, and can do without the registry for a while.
#[async_trait]
pub trait JournalPlacement: Send + Sync + 'static {
    /// The incarnation whose journal this is has joined its fleet: it may look for where to write.
    fn joined(&self);

    /// Whether the journal itself, and without the registry, can say now that the incarnation is not sealed and that what it
    /// appends would be durable.
    async fn confirms_ownership(&self, incarnation: IncarnationId) -> bool;

    /// Bytes of entries that it keeps in memory until they are trimmed.
    fn retained_bytes(&self) -> u64;

    /// Memory is short: what is durable need not be kept in it as well.
    fn drop_copies(&self);

    /// Where entries become durable now, for an operator.
    fn location(&self) -> String;
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("the journal expects entry {expected}")]
    Gap { expected: u64 },
    /// The number is taken by another entry.
    #[error("entry {sequence} is there with another content")]
    Conflict { sequence: u64 },
    /// This journal takes no more entries. The failure says what became of this one.
    #[error("the journal cannot be written: {0}")]
    Unwritable(Failure),
    /// `NotApplied`: it is not durable, and its number may be used by another entry. `Indeterminate`: append the same
    /// entry again. `Fenced`: the journal is sealed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal failed: {0}")]
    Failed(#[from] Failure),
    /// Torn, foreign or changed. Never skipped.
    #[error("entry {sequence} of lane {lane} of journal {incarnation} is damaged: {reason}")]
    Corrupt { incarnation: IncarnationId, lane: u16, sequence: u64, reason: String },
}
