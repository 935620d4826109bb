//! Checkout: the cart coordinates, the SKUs take part, and the cart's own durable state is the decision.
//!
//! cart `CheckoutStarted` → every SKU holds, in the order of the SKUs → payment authorised → cart `CheckoutPlaced` (or
//! `CheckoutAborted`) → answer → SKUs sell (or release), payment captured (or voided), cart `CheckoutSettled`. Every step
//! is idempotent and repeated until it is acknowledged; after a crash the cart's next owner goes on where it stopped.

pub(crate) mod coordinator;
mod steps;
