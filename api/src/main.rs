//! `smartcart`: carts and stock of a shop, kept durable.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    smartcart_api::cli::run()
}
