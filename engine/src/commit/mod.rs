//! From an actor's decision to a durable answer, and on to the tables.

mod change;
mod image;

pub use change::{Change, EntityKey, Entry, Lane, Subject};
pub use image::{CartImage, Header, Image, Row, StockImage, TableBatch, Watermark};
