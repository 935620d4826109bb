#[expect(dead_code, reason = "the journal's own tests need more of it")]
#[path = "../../../../persistence/tests/it/redis/breakable_proxy.rs"]
mod breakable_proxy;
mod client;
pub(crate) mod described;
pub(crate) mod fleet;
pub(crate) mod process;
#[expect(dead_code, reason = "the journal's own tests need more of it")]
#[path = "../../../../persistence/tests/it/redis/server.rs"]
mod redis_server;
mod shop;

use std::time::{Duration, Instant};

pub(crate) use breakable_proxy::BreakableProxy;
pub(crate) use client::{Answer, Client, Request};
pub(crate) use process::Process;
pub(crate) use redis_server::RedisServer;
pub(crate) use shop::TestShop;

/// How long a test waits for what must come: what other tests do at the same time must not decide whether it comes in time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Waits, though not for ever.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "in {PATIENCE:?} it has not come true that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The services' log from `info` on, shown with a test that fails: the reason is often there alone.
pub(crate) fn log_with_the_test() {
    // Only the first test of the process finds no log set up.
    let _ = tracing_subscriber::fmt().with_test_writer().with_ansi(false).try_init();
}
