#[expect(dead_code, reason = "the journal's own tests need more of it")]
#[path = "../../../../persistence/tests/it/redis/breakable_proxy.rs"]
mod breakable_proxy;
mod client;
pub(crate) mod fleet;
#[expect(dead_code, reason = "the journal's own tests need more of it")]
#[path = "../../../../persistence/tests/it/redis/server.rs"]
mod redis_server;
mod shop;

pub(crate) use breakable_proxy::BreakableProxy;
pub(crate) use client::{Answer, Client, Request};
pub(crate) use redis_server::RedisServer;
pub(crate) use shop::TestShop;

/// The services' log from `info` on, shown with a test that fails: the reason is often there alone.
pub(crate) fn log_with_the_test() {
    // Only the first test of the process finds no log set up.
    let _ = tracing_subscriber::fmt().with_test_writer().with_ansi(false).try_init();
}
