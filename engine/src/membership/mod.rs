//! Who owns a shard. The [`Registry`] has the truth: pods (*members*, one incarnation each) and the owner of every
//! shard with its epoch. An incarnation that was declared dead can write nothing any more, whatever it believes.
//!
//! - [`shards`] is this pod's own books; a request enters a shard before it touches an entity.
//! - [`routes`] sends what is not here to its owner.
//! - [`keeper`] beats, and keeps the books after the registry.
//! - [`steward`] claims, suspects, takes over and balances.
//! - [`handover`] gives shards away on purpose.

mod handover;
mod keeper;
mod liveness;
mod registry;
mod rendezvous;
mod routes;
mod shards;
mod steward;

pub use handover::HandoverError;
pub use keeper::{FleetConfig, Lost};
pub(crate) use keeper::{Keeper, KeeperParts};
pub use registry::{Beat, Epoch, Member, MemberState, Registry, RegistryError, ShardRow, Takeover};
pub(crate) use routes::{RouteContext, ForwardError, Routes};
pub(crate) use shards::{ShardGuard, Owner, ShardMap, Route};
