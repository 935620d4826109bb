//! The engine's ports in memory: a fleet in one process, on a clock that a test may hold still.
//!
//! All pods share one [`Database`], which fences as PostgreSQL does. Each pod has a journal, a store, a registry and a way to
//! its peers of its own, and each of these misbehaves on command through its [`Faults`].

mod bugs;
mod calls;
mod database;
mod faults;
pub mod fixtures;
mod journal;
mod network;
mod placement;
mod registry;
mod store;
mod tables;

pub use bugs::Bug;
pub use calls::RegistryCall;
pub use database::{Checkpoint, Database};
pub use faults::{Faults, JournalFault, PeerFault, RegistryFault, StoreFault, Weather};
pub use journal::MemoryJournal;
pub use network::{MemoryPeers, Network};
pub use placement::MemoryPlacement;
pub use registry::MemoryRegistry;
pub use store::MemoryStore;
