//! What every way to other pods does, over gRPC: once with signatures, once with certificates.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backend;
mod certificates;

smartcart_testkit::conformance!(peers on [Signed Tls]);
