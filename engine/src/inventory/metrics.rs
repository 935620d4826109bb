use metrics::{counter, gauge};

use super::{StockEvent, StockRejection};
use crate::commit::{Change, Subject};

/// Keeps the gauge of holds, when a change is durable.
pub(crate) fn observe(change: &Change) {
    let Subject::Stock(_, events) = &change.subject else { return };
    for event in events {
        match event {
            StockEvent::HoldPlaced { .. } => gauge!("smartcart_holds").increment(1.0),
            StockEvent::HoldReleased { .. }
            | StockEvent::HoldExpired { .. }
            | StockEvent::HoldSold { .. } => {
                gauge!("smartcart_holds").decrement(1.0);
            }
            StockEvent::Adjusted { .. } | StockEvent::HoldExtended { .. } | StockEvent::Restocked { .. } => {}
        }
    }
}

/// Counts what was asked for and was not there.
pub(super) fn observe_rejection(rejection: &StockRejection) {
    if let StockRejection::InsufficientStock { .. } = rejection {
        counter!("smartcart_oversell_refused_total").increment(1);
    }
}
