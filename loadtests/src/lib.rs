//! Load tools.

pub mod bench;
pub mod chaos;
pub mod crowd;
pub mod fleet;
pub mod http;
pub mod proxy;
pub mod rng;
pub mod server;
pub mod trade;
pub mod wire;
