//! What only a Redis can suffer.

mod door;
mod fleet;
mod forgetting;
mod places;
pub(crate) mod server;
mod weak;
