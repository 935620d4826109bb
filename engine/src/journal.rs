//! The journal: where an accepted change becomes durable.

use async_trait::async_trait;

use crate::{
    commit::{Entry, Lane},
    id::IncarnationId,
};

/// An append-only log of one incarnation in a few lanes. One conformance suite serves every implementation.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Makes an entry durable. The same entry again is accepted once (so an unknown outcome is settled by asking again).
    async fn append(&self, entry: &Entry) -> Result<(), AppendError>;

    /// After this nothing can be appended for the incarnation, whoever tries. Sealing again changes nothing.
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

    /// Forgets a sealed incarnation whole, once the tables have all of it.
    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError>;

    /// Lanes worth having: appends that overlap.
    fn lanes(&self) -> u16;
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody has declared this incarnation dead.
    #[error("this incarnation was declared dead: it must start again as a new one")]
    Sealed,
    #[error("the journal expects entry {expected}")]
    Gap { expected: u64 },
    /// The number is taken by another entry.
    #[error("entry {sequence} is there with another content")]
    Conflict { sequence: u64 },
    /// It may be durable or not: append the same entry again.
    #[error("unknown whether the entry is durable: {0}")]
    Unknown(String),
    /// It is not durable, and the journal is as it was: its number may be used by another entry.
    #[error("the entry was not taken: {0}")]
    NotTaken(String),
    /// It is not durable, and this journal will take no more.
    #[error("the journal cannot be written: {0}")]
    Failed(String),
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal does not answer: {0}")]
    Unavailable(String),
    /// Torn, foreign or changed. Never skipped.
    #[error("entry {sequence} of lane {lane} of journal {incarnation} is damaged: {reason}")]
    Corrupt { incarnation: IncarnationId, lane: u16, sequence: u64, reason: String },
}
