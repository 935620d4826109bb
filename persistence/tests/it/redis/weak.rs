//! A Redis that would forget what it has acknowledged is refused, with what to do.

use smartcart_persistence::{error::RedisError, redis::Server};

use super::server::RedisServer;

async fn refusal(settings: &[&str]) -> String {
    let server = RedisServer::with(settings).await;
    let error = Server::at(&server.address()).unwrap().durability().await.unwrap_err();
    assert!(!error.may_pass(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn what_is_weaker_than_always_is_refused() {
    let none = refusal(&[]).await;
    assert!(none.contains("appendonly = no") && none.contains("set it to yes"), "{none}");
    let everysec = refusal(&["--appendonly", "yes", "--appendfsync", "everysec"]).await;
    assert!(
        everysec.contains("appendfsync = everysec") && everysec.contains("set it to always"),
        "{everysec}"
    );
    let lazy = ["--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"];
    let lazy = refusal(&lazy).await;
    assert!(lazy.contains("no-appendfsync-on-rewrite = yes"), "{lazy}");
    let evicts = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "allkeys-lru"];
    let evicts = refusal(&evicts).await;
    assert!(evicts.contains("maxmemory-policy = allkeys-lru"), "{evicts}");
}

#[tokio::test]
async fn a_replica_is_refused_until_it_is_promoted() {
    let (first, second) = (RedisServer::new().await, RedisServer::new().await);
    second.ask(&["REPLICAOF", "127.0.0.1", &first.port.to_string()]).await.unwrap();
    let journal = Server::at(&second.address()).unwrap();
    assert!(matches!(journal.durability().await, Err(RedisError::Replica)));
    second.ask(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    let durability = journal.durability().await.unwrap().to_string();
    assert!(durability.starts_with("single, appendfsync always"), "{durability}");
}

#[tokio::test]
async fn what_is_no_redis_is_refused() {
    for address in ["postgres://db", "redis://", "rediss://host"] {
        assert!(matches!(Server::at(address), Err(RedisError::Address(_))), "{address}");
    }
    let nobody = Server::at("redis://127.0.0.1:1").unwrap().durability().await;
    assert!(matches!(nobody, Err(RedisError::Unreachable(_))), "{nobody:?}");
}
