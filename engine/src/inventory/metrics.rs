use metrics::gauge;

use super::StockEvent;
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
