//! Chaos: load, `kill -9`, restart, and a check of everything that was ever promised.
//!
//! The clients keep a journal of their own: each request, its key, and its answer (acknowledged, refused, indeterminate).
//! What a server may look like afterwards follows from that journal alone:
//!
//! - `check::order`: versions and reads never go back, over a crash neither;
//! - `check::cart`: some order of the acknowledged changes, each once, and of the indeterminate ones, each at most once,
//!   leads through every snapshot that was answered to the one that is there;
//! - `check::stock`: `0 <= held <= on_hand`, and what is held, sold and stocked lies between what was acknowledged and
//!   that plus what is indeterminate; once the keyed requests were sent again, it is exactly that;
//! - `check::purchase`: what was in a cart is in the order or still in the cart, and nothing is in both.
//!
//! A round goes: `load` until `kill`, restart, `verify` (read, send again, replay, read until settled). The checks are
//! pure functions of histories; `history` is where the journal becomes histories.
//!
//! `run` has the rounds of one shop; `scenario` has what can go wrong with a fleet, a file each, under the same load and
//! the same checks; `crowd` is a sale of few units to many buyers.

pub mod cart;
pub mod check;
pub mod client;
pub mod crowd;
pub mod endpoints;
pub mod fleet;
pub mod history;
pub mod journal;
pub mod kill;
pub mod kill_switch;
pub mod load;
pub mod replays;
pub mod resend;
pub mod run;
pub mod scenario;
pub mod session;
pub mod setup;
pub mod shard;
pub mod verify;
