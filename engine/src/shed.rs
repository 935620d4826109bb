use std::time::Duration;

use metrics::counter;
use smartcart_domain::request::Shed;

/// A request that is not admitted, counted by its reason.
pub(crate) fn shed(reason: &'static str, retry_after: Duration) -> Shed {
    counter!("smartcart_shed_total", "reason" => reason).increment(1);
    Shed { reason, retry_after }
}
