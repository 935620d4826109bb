//! The endpoints, one file each: its request, its description, its handler.

pub mod carts;
pub mod inventory;
pub mod orders;
pub mod products;
pub mod sessions;
pub mod users;

use crate::problem::{Code, Problem};

pub async fn not_found() -> Problem {
    Problem::plain(Code::NotFound)
}

pub async fn method_not_allowed() -> Problem {
    Problem::plain(Code::MethodNotAllowed)
}
