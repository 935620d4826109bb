//! Who owns a shard, as this pod knows it, and the way there. A request enters a shard before it touches an entity.

pub(crate) mod confirmation;
pub(crate) mod departure;
pub(crate) mod routes;
pub(crate) mod shard_map;
pub(crate) mod shard_state;
