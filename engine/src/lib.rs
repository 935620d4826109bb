//! The shop's live actors. The rules are in `smartcart_domain`; what is durable, and what other pods are asked, comes in
//! through ports: [`journal::Journal`] (with [`journal::JournalPlacement`]), [`store::Store`], [`registry::Registry`], [`peers::Peers`], [`payment::PaymentGateway`].
//!
//! Architecture Invariant: this crate knows neither HTTP nor SQL nor a wire form, and its modules form no cycle.
//!
//! # To add a kind of entity
//! After its rules (see the domain): a file in [`entity`] that says how it is kept and routed, its loads in
//! [`store::EntityStore`], and its directory in `Directories` (`directories.rs`). The compiler names the rest: every `match`
//! that lacks it, and every place that goes through all directories, since each of these takes `Directories` apart completely:
//! clearing a shard, the sweep, what operators see, and what goes on without a client after a start or a change of owner.

mod activation;
pub mod admission;
mod background;
pub mod backoff;
pub mod checkout;
pub mod clock;
pub mod commit;
pub mod deadline;
mod directories;
pub mod directory;
pub mod engine;
pub mod entity;
mod guarded;
mod hydrate;
pub mod journal;
pub mod limits;
pub mod membership;
mod ownership;
pub mod payment;
pub mod peers;
mod progress;
pub mod published;
pub mod registry;
mod restock;
mod shed;
pub mod store;
mod trouble;

pub use engine::{Config, Engine};
