//! Load tools.

pub mod trade;
