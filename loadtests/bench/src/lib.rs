//! The bench: SmartCart beside a server that does nothing, in one run on one machine.
//!
//! The no-op server (`bin/noop_server.rs`) speaks HTTP with the same library, parses the same body and answers as many bytes, and
//! that is all it does. Slices of a second or two alternate between the two servers, so that a noisy neighbour meets
//! both; a ratio between them says what carts, actors and durability cost, on whatever machine it was measured.
//!
//! The client shares the machine with the server and must be lean: one thread, raw TCP, closed loop, requests rendered
//! from parts, responses read no further than their length.

pub mod against;
pub mod child;
pub mod cluster;
pub mod load;
pub mod memory;
pub mod meter;
pub mod open_loop;
pub mod options;
pub mod pods;
pub mod postgres;
pub mod redis;
pub mod report;
pub mod requests;
pub mod restart;
pub mod scenario;
pub mod serve;
pub mod settings;
pub mod shop;
pub mod source;
pub mod stored_carts;
pub mod throughput;
