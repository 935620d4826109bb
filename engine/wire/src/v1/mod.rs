//! Version 1. Tags are for ever.

pub(crate) mod cart;
pub(crate) mod change;
pub(crate) mod field;
pub(crate) mod order;
pub(crate) mod outcome;
pub(crate) mod stock;
