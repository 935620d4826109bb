//! What only a database that pods share can suffer, and what it does for them.

mod concurrent_changes;
mod fence;
mod foreign_schema;
mod ownership;
