//! What a handler takes out of a request. Each says with a `Problem` what it could not read.

mod access;
mod body;
mod change;
mod description;
mod given;
mod idempotency;
mod identity;
mod json;
mod page;
mod path;
mod payload;
mod precondition;
mod sku;
mod text;

pub use access::{Access, Anyone, Service, Shopper};
pub use body::read_body;
pub use change::Change;
pub use given::given;
pub use idempotency::IdempotencyKey;
pub use json::{Json, JsonObject, parse};
pub use page::{Cursor, PageQuery, Query, limit as page_limit};
pub use path::{PathId, PathSku};
pub use payload::{Nothing, Payload};
pub use precondition::{Precondition, precondition};
pub use sku::SkuText;
pub(crate) use sku::resolve;
