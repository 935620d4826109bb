//! What tests and load tools need around the shop: its servers and the databases behind them as real processes, an HTTP
//! client, networks that fail on command, and the numbers of a run.
//!
//! Everything answers with `anyhow` errors and prints nothing, so that a test may use it as well as a tool.

pub mod conformance;
pub mod fleet;
pub mod http;
pub mod memory;
pub mod metrics;
pub mod ops;
pub mod pod;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod random;
pub mod redis;
pub mod report;
pub mod server;
