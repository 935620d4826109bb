//! A journal in Redis or Valkey: one stream for each incarnation and lane, appended to by a function on the server that
//! checks seal, sequence and repetition in the same step.
//!
//! By itself a Redis that fails over may forget a seal and the last entries. [`RedisJournal`] is the bare journal; a pod
//! writes through [`crate::failover::FailoverJournal`], whose rules make up for it.

mod durability;
mod journal;
mod link;
mod server;

pub use durability::{Class, Durability};
pub(crate) use journal::LANES;
pub use journal::RedisJournal;
pub(crate) use link::Link;
pub use server::{Server, Settings};
