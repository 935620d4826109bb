//! Every call that takes an `Idempotency-Key`, sent again with its key: at once, while the first is under way, and later;
//! and checkouts of carts that are full of keys, again and again while a flush of many rows is running. Whatever is
//! repeated has one outcome, says that it is a replay, and has no second effect. All of it is what clients may do over HTTP.

pub mod calls;
pub mod checkouts;
pub mod flood;
pub mod repeat;
pub mod run;
