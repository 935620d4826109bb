//! Checkout: the cart coordinates, the SKUs take part, and the cart's own durable state is the decision.
//!
//! cart `CheckoutStarted` → every SKU holds, in the order of the SKUs → payment authorised → cart `CheckoutPlaced` (or
//! `CheckoutAborted`) → answer → SKUs sell (or release), payment captured (or voided), cart `CheckoutSettled`. Every step
//! is idempotent and repeated until it is acknowledged; after a crash the cart's next owner goes on where it stopped.
//!
//! Two things are not waited for without a bound: the decision, which is to abort once its time is up, and the release of
//! an aborted checkout's holds, since a SKU that has such a hold for long asks the cart. A cancelled order's payment is
//! voided only after its checkout has settled, so that no void meets a capture.

mod config;
pub(crate) mod coordinator;
pub(crate) mod payments;
mod steps;

pub use config::CheckoutConfig;
