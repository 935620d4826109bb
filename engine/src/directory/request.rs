use std::{sync::Arc, time::Duration};

use super::{Published, Shed};
use crate::{
    commit::CommitFailure,
    entity::{Context, Entity},
    idempotency::{Caller, KeyGuard, Outcome},
    limits::Limits,
    store::StoreError,
    time::Moment,
};

/// One command for one entity.
#[derive(Debug)]
pub struct Request<E: Entity> {
    pub command: E::Command,
    pub caller: Caller,
    pub key: Option<KeyGuard>,
    /// The version that the caller believes the entity at (`If-Match`).
    pub expected: Option<u64>,
    /// The id was just drawn: there is nothing to load.
    pub fresh: bool,
}

impl<E: Entity> Request<E> {
    /// A step of the engine's own.
    pub(crate) const fn of_engine(command: E::Command, key: Option<KeyGuard>) -> Self {
        Self { command, caller: Caller::Engine, key, expected: None, fresh: false }
    }

    /// What a rule may know of it.
    pub(super) const fn context(&self, moment: Moment, limits: Limits) -> Context {
        let Moment { wall, shop, passed } = moment;
        Context { caller: self.caller, wall, shop, passed, limits, key: self.key }
    }
}

/// A durable answer.
#[derive(Debug)]
pub struct Answer<E: Entity> {
    /// The entity after the change (of a replay: as it is now).
    pub published: Arc<Published<E>>,
    pub outcome: Outcome,
    /// The key had made this change before.
    pub replayed: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<R> {
    /// The rule says no.
    Rejected(R),
    /// The key was used with another request.
    KeyReused,
    /// The entity is at another version than expected.
    Stale { version: u64 },
    /// Not begun: come back later.
    Overloaded { reason: &'static str, retry_after: Duration },
    /// Known not to be done.
    Unavailable(String),
    /// Done or not: ask again with the same key.
    Unknown(String),
    /// Nothing was done: another pod owns the shard, or will in a moment.
    Elsewhere,
}

impl<R> Refusal<R> {
    pub fn map<S>(self, rejection: impl FnOnce(R) -> S) -> Refusal<S> {
        match self {
            Self::Rejected(r) => Refusal::Rejected(rejection(r)),
            Self::KeyReused => Refusal::KeyReused,
            Self::Stale { version } => Refusal::Stale { version },
            Self::Overloaded { reason, retry_after } => Refusal::Overloaded { reason, retry_after },
            Self::Unavailable(why) => Refusal::Unavailable(why),
            Self::Unknown(why) => Refusal::Unknown(why),
            Self::Elsewhere => Refusal::Elsewhere,
        }
    }
}

impl<R> From<Shed> for Refusal<R> {
    fn from(shed: Shed) -> Self {
        Self::Overloaded { reason: shed.reason, retry_after: shed.retry_after }
    }
}

impl<R> From<CommitFailure> for Refusal<R> {
    fn from(failure: CommitFailure) -> Self {
        match failure {
            CommitFailure::NotDone(why) => Self::Unavailable(why),
            CommitFailure::Unknown(why) => Self::Unknown(why),
        }
    }
}

impl<R> From<Unavailable> for Refusal<R> {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable.0)
    }
}

/// The entity cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

impl Unavailable {
    pub(super) fn not_confirmed() -> Self {
        Self("whether the cart or SKU is still here is not known".to_owned())
    }
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// Why an entity cannot be brought into memory here.
#[derive(Debug)]
pub(super) enum NotHere {
    /// Its shard has left this pod.
    Moved,
    Unavailable(Unavailable),
}

impl From<Unavailable> for NotHere {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl<R> From<NotHere> for Refusal<R> {
    fn from(not_here: NotHere) -> Self {
        match not_here {
            NotHere::Moved => Self::Elsewhere,
            NotHere::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
