//! Carts: the rules, and the events they are made of.

mod apply;
mod command;
mod decide;
mod event;
mod state;

pub use command::{BatchMode, CartCommand, CheckoutTerms, Operation, OperationKind};
pub use decide::CartRejection;
pub use event::CartEvent;
pub use state::{Cart, CartStatus, Checkout, CheckoutPhase, LastOrder, Line};
