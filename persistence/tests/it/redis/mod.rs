//! What only a Redis can suffer.

pub(crate) mod cluster;
mod door;
mod fleet;
mod forgetting;
mod in_a_cluster;
mod places;
mod replicas;
pub(crate) mod server;
mod tls;
mod weak;
