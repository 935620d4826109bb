//! The rules, each a pure function of a history: no clock, no network.

pub mod cart;
pub mod order;
pub mod purchase;
pub mod stock;
