//! Checkouts and cancellations whose SKUs, gateway and tables do not answer: one pod on ports in memory, on a clock that jumps
//! from event to event.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deadline;
mod gateway;
mod payment;
mod restock;
mod shop;
