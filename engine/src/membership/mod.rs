//! This pod among the others. The [`Registry`](crate::registry::Registry) has the truth: pods (*members*, one incarnation each)
//! and the owner of every shard with its epoch. An incarnation that was declared dead can write nothing any more, whatever
//! it believes.

pub(crate) mod config;
mod failover;
mod failure_detector;
pub(crate) mod fleet_member;
pub(crate) mod handover;
mod heartbeat;
mod journal_confirmation;
pub(crate) mod parts;
mod rebalancer;
mod registry_call;
mod rendezvous;
pub(crate) mod shard_contents;
pub(crate) mod status;

pub use config::FleetConfig;
pub use handover::{HandoverError, HandoverStep};
pub use status::MemberStatus;
