//! The shop's rules and its live actors.
//!
//! Dependencies run one way: this crate knows neither HTTP nor SQL. What is durable comes in through two traits,
//! [`journal::Journal`] and [`store::Store`].
//!
//! # To add a command to a cart or a stock
//! 1. Add it to `command.rs`, in the imperative, with what the rule needs as arguments (time and ids come in).
//! 2. Add what it does to `event.rs`, in the past tense, and to `apply.rs`.
//! 3. Decide it in `decide.rs`; a new reason to refuse goes into the rejection.
//! 4. Give the event its durable form in `persistence/src/record/v1`.
//! 5. Test it as given / when / then, and route it in `api/src/router.rs`.

mod background;
pub mod cart;
pub mod catalog;
pub mod checkout;
pub mod commit;
pub mod deadline;
pub mod directory;
pub mod engine;
pub mod entity;
pub mod id;
pub mod idempotency;
pub mod inventory;
pub mod journal;
pub mod limits;
pub mod money;
pub mod orders;
pub mod ownership;
pub mod peers;
mod restock;
pub mod shard;
pub mod store;
pub mod time;
pub mod users;

pub use engine::{Config, Engine};
