//! The shop's rules and values. Pure: no clock, no I/O, no async, no metrics; time and new ids come in as arguments.
//!
//! Architecture Invariant: this crate depends on no runtime. A module imports only modules that lie below it.
//!
//! # To add a command to a cart or a stock
//! 1. Add it to `command.rs`, in the imperative, with what the rule needs as arguments.
//! 2. Add what it does to `event.rs`, in the past tense, and to `apply.rs`.
//! 3. Decide it in `decide.rs`; a new reason to refuse goes into the rejection.
//! 4. Give the event its durable form in `engine/wire/src/v1`, the command its form between pods in
//!    `engine/wire/src/peer/request.rs`, and the rejection in `engine/wire/src/peer/rejection.rs`.
//! 5. Give the rejection its problem code in `api/src/problem/from_engine.rs`, and route the command in `api/src/router.rs`.
//! 6. Test it as given / when / then, in `tests/rules`.
//!
//! # To add a kind of entity
//! 1. Here: a folder with `command.rs`, `event.rs`, `state.rs`, `decide.rs` and `apply.rs`, which implements
//!    [`entity::Entity`]; a variant in [`change::Subject`], [`change::EntityKey`] and [`snapshot::Snapshot`], and two (a
//!    command, a read) in [`peer::PeerRequest`] and [`peer::PeerReply`].
//! 2. The compiler then names every `match` that lacks it: how it is kept (`engine/src/entity`), its wire form
//!    (`engine/wire`), its tables (`persistence`), its routes (`api`).
//! 3. What has one field or one call for each kind is no `match`, and the compiler is silent: `engine/src/lib.rs` lists those.

pub mod cart;
pub mod catalog;
pub mod change;
pub mod checkout;
pub mod entity;
pub mod entry;
pub mod failure;
pub mod id;
pub mod idempotency;
pub mod inventory;
pub mod limits;
pub mod money;
pub mod orders;
pub mod payment;
pub mod peer;
pub mod request;
pub mod shard;
pub mod snapshot;
pub mod time;
pub mod users;
