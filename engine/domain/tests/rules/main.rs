//! The rules, as given / when / then. No clock, no I/O, no async.

mod cart;
mod catalogue;
mod given;
mod orders;
mod stock;
mod stock_properties;
