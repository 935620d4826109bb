//! `smartcart`: carts and stock of a shop, kept durable.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    smartcart_api::cli::run()
}
