mod client;
#[expect(dead_code, reason = "the journal's own tests need more of it")]
#[path = "../../../../persistence/tests/it/redis/door.rs"]
mod door;
pub(crate) mod fleet;
#[expect(dead_code, reason = "the journal's own tests need more of it")]
#[path = "../../../../persistence/tests/it/redis/server.rs"]
mod redis_server;
mod shop;

pub(crate) use client::{Answer, Client, Request};
pub(crate) use door::Door;
pub(crate) use redis_server::RedisServer;
pub(crate) use shop::TestShop;
