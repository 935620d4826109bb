//! How durable this server is, by what it says of itself.

use std::{collections::HashMap, fmt};

use redis::cmd;

use super::Link;
use crate::error::RedisError;

/// What a server keeps. Whatever is weaker is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    pub version: String,
    /// Servers that follow it, without being waited for.
    pub replicas: u64,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, replicas } = self;
        write!(f, "single, appendfsync always (Redis {version}")?;
        if *replicas > 0 {
            write!(f, "; {replicas} replicas, which may lack the last entries")?;
        }
        f.write_str(")")
    }
}

/// Functions came with Redis 7.0.
const OLDEST: u32 = 7;

/// Setting, what it must be, and what happens otherwise.
const NEEDED: [(&str, &str, &str); 4] = [
    ("appendonly", "yes", "it keeps nothing over a restart"),
    ("appendfsync", "always", "it acknowledges what a power cut takes back"),
    (
        "no-appendfsync-on-rewrite",
        "no",
        "while it rewrites its file it acknowledges what a power cut takes back",
    ),
    ("maxmemory-policy", "noeviction", "it would throw acknowledged changes away when memory is short"),
];

impl Durability {
    pub(super) async fn of(link: &Link) -> Result<Self, RedisError> {
        let info: String = link.ask(cmd("INFO").arg("everything")).await?;
        let told: HashMap<&str, &str> =
            info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let version = told.get("valkey_version").or(told.get("redis_version")).copied().unwrap_or("0");
        if version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok())
            .is_none_or(|major| major < OLDEST)
        {
            return Err(RedisError::TooOld { found: version.to_owned(), needed: OLDEST });
        }
        if told.get("role") != Some(&"master") {
            return Err(RedisError::Replica);
        }
        for (setting, needed, consequence) in NEEDED {
            let found: HashMap<String, String> = link.ask(cmd("CONFIG").arg("GET").arg(setting)).await?;
            let found = found.get(setting).map_or("unknown", String::as_str);
            if found != needed {
                let (found, setting) = (found.to_owned(), setting);
                return Err(RedisError::Weak { setting, found, needed, consequence });
            }
        }
        if told.get("aof_last_write_status").is_some_and(|status| *status != "ok") {
            return Err(RedisError::Unreachable("it cannot write its append-only file".to_owned()));
        }
        let replicas = told.get("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
        Ok(Self { version: version.to_owned(), replicas })
    }
}
