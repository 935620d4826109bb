//! Real trade, and what a shop makes of it.

pub mod trade;
