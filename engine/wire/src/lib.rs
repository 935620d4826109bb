//! The versioned binary forms of what lies on disk and of what pods send each other, apart from the live types, so that a
//! rule can be rewritten without touching either.
//!
//! Every record says its version. `v1` is protobuf's wire format; its rules of growth are protobuf's: a tag is never
//! reused or given another type, and a new field must be safe to ignore for a program that does not know it. What is
//! not safe to ignore is a new variant of a `oneof` (an older program refuses it), or else a `v2`.
//!
//! # To add a kind of entity
//! Its file under `v1` with its events and its snapshot, a variant in `v1/change.rs`, and its commands and rejections in
//! `peer`. The compiler names each `match`. Nothing names the samples: add one of each event, outcome and snapshot to
//! `tests/record` and one of each message to `tests/peer/golden`.

mod frame;
mod malformed;
pub mod next_version;
pub mod peer;
mod record;
mod v1;
mod version;

pub use frame::{EntryName, decode_entry, encode_entry};
pub use malformed::Malformed;
pub use record::{
    decode_cart_snapshot, decode_changes, decode_stock_snapshot, encode_cart_snapshot, encode_changes,
    encode_stock_snapshot,
};
