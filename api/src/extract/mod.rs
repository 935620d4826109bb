//! What a handler takes out of a request. Each says with a `Problem` what it could not read.

mod body;
mod change;
mod idempotency;
mod json;
mod page;
mod path;
mod precondition;
mod sku;

pub use body::{BodyLimit, read_body};
pub use change::{Change, Nothing, Payload};
pub use idempotency::IdempotencyKey;
pub use json::{Json, JsonObject, parse};
pub use page::{Cursor, PageQuery, Query, limit as page_limit};
pub use path::{PathId, PathSku};
pub use precondition::{KnownVersions, expected_version};
pub use sku::SkuText;
pub(crate) use sku::resolve;
