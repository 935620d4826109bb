//! Load tools.

pub mod bench;
pub mod chaos;
pub mod rng;
pub mod server;
pub mod wire;
