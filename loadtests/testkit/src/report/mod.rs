//! How a run is told: tables in Markdown, numbers, and promises that were not kept.

mod format;
mod table;
mod violation;

pub use format::{counts, milliseconds, optional, spread};
pub use table::Table;
pub use violation::Violation;
