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
