//! A fleet under the load of `load`: all its pods at once, behind a balancer, and beside it carts in many shards that show
//! whether each is served.

mod balancer;
mod paced;
mod probe;

pub use balancer::Balancer;
pub use paced::{Load, Pace, open_shop};
pub use probe::{Probe, Probes};
