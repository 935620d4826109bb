pub mod body;
pub mod delete;
pub mod import;
pub mod list;
pub mod put;
pub mod read;
