//! How durable a server is: what is asked of it, and what it says of itself. Whatever is weaker is refused.

use std::{collections::HashMap, fmt, str::FromStr};

use redis::cmd;

use super::link::Link;
use crate::error::RedisError;

/// What an answer of this Redis means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    /// One server has it on its disk.
    #[default]
    Single,
    /// So many replicas have it on theirs as well.
    Replica { confirming: u16 },
    /// A service has it in a log of its own before it answers: `MemoryDB`, `ElastiCache` for Valkey with synchronous durability.
    Synchronous,
}

impl Class {
    /// For a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Replica { .. } => "replica",
            Self::Synchronous => "synchronous",
        }
    }

    /// Replicas that are waited for.
    pub(super) const fn confirming(self) -> u16 {
        match self {
            Self::Replica { confirming } => confirming,
            Self::Single | Self::Synchronous => 0,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("write single, replica, replica:2 (so many confirm) or synchronous")]
pub struct UnknownClass;

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        match text {
            "single" => Ok(Self::Single),
            "replica" => Ok(Self::Replica { confirming: 1 }),
            "synchronous" => Ok(Self::Synchronous),
            _ => {
                let confirming = text.strip_prefix("replica:").and_then(|count| count.parse().ok());
                let confirming = confirming.filter(|count| *count > 0).ok_or(UnknownClass)?;
                Ok(Self::Replica { confirming })
            }
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    pub class: Class,
    pub version: String,
    /// Servers that follow it.
    pub replicas: u64,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, version, replicas } = self;
        match class {
            Class::Single => write!(f, "single, appendfsync always ({version}")?,
            Class::Replica { confirming } => {
                return write!(f, "replica, {confirming} of {replicas} confirm each entry ({version})");
            }
            Class::Synchronous => {
                return write!(f, "synchronous, by the service's own word ({version})");
            }
        }
        if *replicas > 0 {
            write!(f, "; {replicas} replicas, which may lack the last entries")?;
        }
        f.write_str(")")
    }
}

/// Functions came with 7.0, and waiting for replicas' files with 7.2.
const OLDEST: (u32, u32) = (7, 0);
const OLDEST_THAT_WAITS: (u32, u32) = (7, 2);

const POLICY: &str = "maxmemory-policy";
const EVICTS: &str = "it would throw acknowledged changes away when memory is short";
const NO_EVICTION: &str = "noeviction";
/// Setting, what it must be, and what happens otherwise.
const NEEDED: [(&str, &str, &str); 4] = [
    ("appendonly", "yes", "it keeps nothing over a restart"),
    ("appendfsync", "always", "it acknowledges what a power cut takes back"),
    (
        "no-appendfsync-on-rewrite",
        "no",
        "while it rewrites its file it acknowledges what a power cut takes back",
    ),
    (POLICY, NO_EVICTION, EVICTS),
];

/// What a server says of itself.
pub(super) struct ServerInfo(HashMap<String, String>);

impl ServerInfo {
    pub(super) async fn of(link: &Link) -> Result<Self, RedisError> {
        let info: String = link.ask(cmd("INFO").arg("everything")).await?;
        let pairs = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        Ok(Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn is_of_a_cluster(&self) -> bool {
        self.get("cluster_enabled") == Some("1")
    }

    /// As its makers call it, and its number.
    fn version(&self) -> (String, (u32, u32)) {
        let (name, number) = match (self.get("valkey_version"), self.get("redis_version")) {
            (Some(number), _) => ("Valkey", number),
            (None, number) => ("Redis", number.unwrap_or("0.0")),
        };
        let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
        let number_of = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        (format!("{name} {number}"), number_of)
    }

    /// What can be known without writing to it.
    pub(super) async fn durability(&self, class: Class, link: &Link) -> Result<Durability, RedisError> {
        let (version, number) = self.version();
        let oldest = if class.confirming() > 0 { OLDEST_THAT_WAITS } else { OLDEST };
        if number < oldest {
            return Err(RedisError::TooOld { found: version, needed: oldest });
        }
        if self.get("role") != Some("master") {
            return Err(RedisError::Replica);
        }
        match class {
            Class::Single | Class::Replica { .. } => has_safe_settings(link).await?,
            Class::Synchronous => self.is_a_service(link).await?,
        }
        if self.get("aof_last_write_status").is_some_and(|status| status != "ok") {
            return Err(RedisError::Unreachable("it cannot write its append-only file".to_owned()));
        }
        let replicas = self.get("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
        Ok(Durability { class, version, replicas })
    }

    /// A service that has a log of its own hides its settings; a server that shows them has none.
    async fn is_a_service(&self, link: &Link) -> Result<(), RedisError> {
        if setting(link, "appendonly").await?.is_some() {
            return Err(RedisError::NotAService);
        }
        match self.get("maxmemory_policy") {
            Some(NO_EVICTION) | None => Ok(()),
            Some(found) => Err(evicts(found)),
        }
    }
}

fn evicts(found: &str) -> RedisError {
    let found = found.to_owned();
    RedisError::UnsafeSetting { setting: POLICY, found, needed: NO_EVICTION, consequence: EVICTS }
}

async fn has_safe_settings(link: &Link) -> Result<(), RedisError> {
    for (name, needed, consequence) in NEEDED {
        let found = setting(link, name).await?.ok_or(RedisError::SettingsHidden)?;
        if found != needed {
            return Err(RedisError::UnsafeSetting { setting: name, found, needed, consequence });
        }
    }
    Ok(())
}

/// `None`: the server hides its settings.
async fn setting(link: &Link, name: &str) -> Result<Option<String>, RedisError> {
    match link.ask::<HashMap<String, String>>(cmd("CONFIG").arg("GET").arg(name)).await {
        Ok(mut found) => Ok(Some(found.remove(name).unwrap_or_else(|| "unknown".to_owned()))),
        Err(error) if matches!(error.kind(), redis::ErrorKind::Server(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
