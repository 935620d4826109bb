//! The ports in memory do what the real ones do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backend;
mod catalogue;
mod faults;

smartcart_testkit::conformance!(journal on [Memory]);
smartcart_testkit::conformance!(store on [Memory]);
smartcart_testkit::conformance!(registry on [Memory]);
smartcart_testkit::conformance!(peers on [MemoryPair]);
