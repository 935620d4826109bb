use metrics::{counter, gauge};

use super::StockRejection;

/// Counts what was asked for and was not there.
pub(super) fn observe_rejection(rejection: &StockRejection) {
    if let StockRejection::InsufficientStock { .. } = rejection {
        counter!("smartcart_oversell_refused_total").increment(1);
    }
}

/// Every SKU with a hold is resident, so the residents' holds are all there are.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(super) fn observe_holds(holds: usize) {
    gauge!("smartcart_holds").set(holds as f64);
}
