use std::sync::Arc;

use smartcart_domain::money::Currency;
use smartcart_engine::engine::Engine;

use crate::{auth::Auth, changes::Changes, disclosure::Disclosure, limits::BodyLimit};

/// What every handler works with.
#[derive(Debug)]
pub struct AppState {
    pub engine: Arc<Engine>,
    pub auth: Auth,
    pub changes: Changes,
    /// Of a cart whose creator named no currency.
    pub currency: Currency,
    /// What everybody is told of stocks.
    pub disclosure: Disclosure,
    pub body_limit: BodyLimit,
    /// For bulk imports.
    pub upload_limit: BodyLimit,
}
