//! Load tools.

pub mod http;
pub mod trade;
