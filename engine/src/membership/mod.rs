//! This pod among the others. The [`Registry`](crate::registry::Registry) has the truth: pods (*members*, one incarnation each)
//! and the owner of every shard with its epoch. An incarnation that was declared dead can write nothing any more, whatever
//! it believes.

mod handover;
pub(crate) mod keeper;
mod liveness;
mod rendezvous;
mod steward;

pub use handover::HandoverError;
pub use keeper::{FleetConfig, Lost, MemberStatus};
