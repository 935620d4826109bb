//! A Redis that would forget what it has acknowledged is refused, with what to do.

use smartcart_persistence::{
    error::RedisError,
    redis::{Class, Server, Settings},
};

use super::server::RedisServer;
use crate::backend::journal_at;

async fn refusal(settings: &[&str]) -> String {
    let server = RedisServer::with(settings).await;
    let error = journal_at(server.address()).durability().await.unwrap_err();
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
    second.follow(&first).await;
    let journal = journal_at(second.address());
    assert!(matches!(journal.durability().await, Err(RedisError::Replica)));
    second.promote().await;
    let durability = journal.durability().await.unwrap().to_string();
    assert!(durability.starts_with("single, appendfsync always"), "{durability}");
}

#[tokio::test]
async fn what_is_no_redis_is_refused() {
    for address in ["postgres://db", "redis://", "http://host"] {
        assert!(matches!(Server::new(&Settings::at(address)), Err(RedisError::Address(_))), "{address}");
    }
    let nobody = journal_at("redis://127.0.0.1:1").durability().await;
    assert!(matches!(nobody, Err(RedisError::Unreachable(_))), "{nobody:?}");
}

/// As a service does that has a log of its own.
#[tokio::test]
async fn who_does_not_tell_its_settings_is_taken_at_the_operators_word_only() {
    let silent =
        RedisServer::with_more(|_, _| ["--rename-command", "CONFIG", "\"\""].map(str::to_owned).into()).await;
    let hidden = journal_at(silent.address()).durability().await.unwrap_err();
    assert!(matches!(hidden, RedisError::SettingsHidden) && !hidden.may_pass(), "{hidden}");
    let as_a_service = |server: &RedisServer| {
        Server::new(&Settings { class: Class::Synchronous, ..Settings::at(server.address()) }).unwrap()
    };
    let found = as_a_service(&silent).durability().await.unwrap().to_string();
    assert!(found.starts_with("synchronous, by the service's own word"), "{found}");
    let talks = RedisServer::new().await;
    let refused = as_a_service(&talks).durability().await.unwrap_err();
    assert!(matches!(refused, RedisError::NotAService) && !refused.may_pass(), "{refused}");
}
