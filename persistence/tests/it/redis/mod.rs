//! What only a Redis can suffer.

mod breakable_proxy;
pub(crate) mod cluster;
mod durability_settings;
mod fleet;
mod forgetting;
mod journals_in_a_cluster;
mod placement;
mod replicas;
pub(crate) mod server;
mod tls;
