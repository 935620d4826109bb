//! The shop's live actors. The rules are in `smartcart_domain`; what is durable, and what other pods are asked, comes in
//! through ports: [`journal::Journal`] (with [`journal::JournalPlacement`]), [`store::Store`], [`registry::Registry`], [`peers::Peers`], [`payment::PaymentGateway`].
//!
//! Architecture Invariant: this crate knows neither HTTP nor SQL nor a wire form, and its modules form no cycle.
//!
//! # To add a kind of entity
//! After its rules (see the domain): a file in [`entity`] that says how it is kept and routed, a `Directory` of it in
//! [`engine`], and its loads in [`store::EntityStore`]. The compiler names every `match` that lacks it. It does not name the
//! places that go through all directories, so add the new one to each of these by hand:
//! - `LiveShards::clear` (`membership/shard_contents.rs`): without it the shard's entities stay in memory after a handover,
//!   and are served, stale, when the shard comes back.
//! - The calls of `sweep` in `background::start`: without one it is never passivated or evicted.
//! - [`Engine::shards`] and [`Engine::hot_keys`]: without it operators do not see it.
//! - `Coordinator::resume_unfinished` (`checkout/coordinator.rs`), when something of it must go on, with no client to ask for it,
//!   after a start or a change of owner.

mod activation;
pub mod admission;
mod background;
pub mod backoff;
pub mod checkout;
pub mod clock;
pub mod commit;
pub mod deadline;
pub mod directory;
pub mod engine;
pub mod entity;
mod hydrate;
pub mod journal;
pub mod limits;
pub mod membership;
mod ownership;
pub mod payment;
pub mod peers;
pub mod published;
pub mod registry;
mod restock;
mod shed;
pub mod store;

pub use engine::{Config, Engine};
