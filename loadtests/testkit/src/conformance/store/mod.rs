//! What every store does.

mod catalog;
mod entities;
mod orders;
mod users;

pub use catalog::*;
pub use entities::*;
pub use orders::*;
pub use users::*;
