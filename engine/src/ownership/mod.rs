//! Who owns a shard. The [`Registry`] has the truth: pods (*members*, one incarnation each) and the owner of every
//! shard with its epoch. An incarnation that was declared dead can write nothing any more, whatever it believes.

mod registry;

pub use registry::{Beat, Epoch, Member, MemberState, Registry, RegistryError, ShardRow, Takeover};
