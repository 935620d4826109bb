//! What a client hears when a port fails: for each port and each effect of its failure, the answer over HTTP, and whether
//! the change was made. The shop runs on ports in memory, which fail on command.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checkout;
#[path = "../fleet/clock.rs"]
mod clock;
mod fail_stop;
mod journal;
mod peers;
mod shop;
mod store;
