//! Stock: what is on hand of one SKU, what is held, what was sold, and the rules that never sell a unit twice.

mod apply;
mod command;
mod decide;
mod event;
mod state;

pub use command::StockCommand;
pub use decide::StockRejection;
pub use event::{Adjustment, StockEvent};
pub use state::{Hold, Stock, StockLevel};
