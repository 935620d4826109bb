//! What all tables do.

mod catalog;
mod entities;
mod orders;
mod users;

pub(crate) use catalog::*;
pub(crate) use entities::*;
pub(crate) use orders::*;
pub(crate) use users::*;
