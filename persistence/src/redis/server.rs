//! Where the Redis is: one server, or the primaries of a cluster.

use std::{fs, io, path::PathBuf, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo,
    TlsCertificates, Value, cmd, from_redis_value, io::tcp::TcpSettings,
};
use smartcart_domain::id::IncarnationId;

use super::{
    durability::{Class, Durability, ServerInfo},
    link::{self, Link},
};
use crate::error::RedisError;

const FUNCTIONS: &str = include_str!("functions.lua");
const CONNECTING: Duration = Duration::from_secs(1);
/// Without an answer for so long an outcome is unknown.
const ANSWERING: Duration = Duration::from_secs(1);

/// How it is reached, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `redis:` or, with TLS, `rediss:`.
    pub url: String,
    pub class: Class,
    /// The authority that signs its certificate, unless this machine trusts it anyway.
    pub ca: Option<PathBuf>,
}

impl Settings {
    /// Plain, and a single server.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), class: Class::default(), ca: None }
    }
}

/// A host's name and port.
pub(super) type Node = (String, u16);

#[derive(Debug, Clone)]
pub struct Server {
    /// The address that was given.
    client: Client,
    node: Node,
    class: Class,
    certificates: Option<TlsCertificates>,
}

/// A first connection: to the server, or to any of a cluster.
#[derive(Debug, Clone)]
pub(super) struct FirstConnection {
    link: Link,
    /// Of a single server: it is the one.
    durability: Option<Durability>,
}

impl Server {
    pub fn new(settings: &Settings) -> Result<Self, RedisError> {
        // An address may hold a password: only its end is repeated.
        let end = || settings.url.split('@').next_back().unwrap_or_default().to_owned();
        if !["redis:", "rediss:"].iter().any(|scheme| settings.url.starts_with(scheme)) {
            return Err(RedisError::Address(end()));
        }
        let info = settings.url.as_str().into_connection_info().map_err(|_| RedisError::Address(end()))?;
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let node = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                (host.clone(), *port)
            }
            _ => return Err(RedisError::Address(end())),
        };
        let certificates = certificates(settings)?;
        let client = client(info, certificates.as_ref())
            .map_err(|error| RedisError::Certificate(error.to_string()))?;
        Ok(Self { client, node, class: settings.class, certificates })
    }

    /// A new connection to the server that keeps an incarnation's journal, and is known to keep what it acknowledges. It never
    /// connects again by itself.
    pub(crate) async fn connect(&self, incarnation: IncarnationId) -> Result<(Link, Durability), RedisError> {
        let FirstConnection { link, durability } = self.first_connection().await?;
        match durability {
            Some(durability) => Ok((link, durability)),
            None => self.connect_to(&self.primary_of(&link, incarnation).await?).await,
        }
    }

    /// What is asked of it.
    pub(crate) const fn class(&self) -> Class {
        self.class
    }

    /// How durable it is; an error when that is not enough.
    pub async fn durability(&self) -> Result<Durability, RedisError> {
        self.connect(IncarnationId(0)).await.map(|(_, durability)| durability)
    }

    /// To the server itself, or to any of a cluster.
    pub(super) async fn first_connection(&self) -> Result<FirstConnection, RedisError> {
        let link = self.dial(&self.client).await?;
        let info = ServerInfo::of(&link).await?;
        let durability =
            if info.is_of_a_cluster() { None } else { Some(self.make_ready(&link, &info).await?) };
        Ok(FirstConnection { link, durability })
    }

    /// To one of a cluster.
    pub(super) async fn connect_to(&self, node: &Node) -> Result<(Link, Durability), RedisError> {
        let (host, port) = node.clone();
        let info = self.client.get_connection_info().clone();
        let addr = match info.addr() {
            ConnectionAddr::TcpTls { .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let link = self.dial(&client(info.set_addr(addr), self.certificates.as_ref())?).await?;
        let info = ServerInfo::of(&link).await?;
        let durability = self.make_ready(&link, &info).await?;
        Ok((link, durability))
    }

    async fn dial(&self, client: &Client) -> Result<Link, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(ANSWERING));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Link::new(connection, self.class.confirming()))
    }

    async fn make_ready(&self, link: &Link, info: &ServerInfo) -> Result<Durability, RedisError> {
        let durability = info.durability(self.class, link).await?;
        // Over a connection that may write: a replica refuses.
        link.ask::<String>(cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(FUNCTIONS)).await?;
        link.confirm().await.map_err(|error| match error.kind() {
            redis::ErrorKind::Client => RedisError::Unconfirmed { needed: self.class.confirming() },
            _ => error.into(),
        })?;
        Ok(durability)
    }

    /// Of a cluster: the primary that keeps an incarnation's keys.
    pub(super) async fn primary_of(
        &self,
        any: &Link,
        incarnation: IncarnationId,
    ) -> Result<Node, RedisError> {
        let slot: u16 = any.ask(cmd("CLUSTER").arg("KEYSLOT").arg(link::state(incarnation))).await?;
        let ranges = self.slots(any).await?;
        let range = ranges.into_iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        range
            .map(|(_, _, node)| node)
            .ok_or_else(|| RedisError::Unreachable(format!("no primary serves slot {slot} of the cluster")))
    }

    /// Of a cluster: every primary.
    pub(super) async fn primaries(&self, any: &Link) -> Result<Vec<Node>, RedisError> {
        let mut nodes: Vec<Node> = self.slots(any).await?.into_iter().map(|(_, _, node)| node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Ok(nodes)
    }

    async fn slots(&self, any: &Link) -> Result<Vec<(u16, u16, Node)>, RedisError> {
        let ranges: Vec<Vec<Value>> = any.ask(cmd("CLUSTER").arg("SLOTS")).await?;
        ranges.into_iter().map(|range| self.range(range)).collect()
    }

    /// First and last slot, and then its servers, the primary first. A server that does not know its own name leaves it out.
    fn range(&self, range: Vec<Value>) -> Result<(u16, u16, Node), RedisError> {
        let odd = || RedisError::Unreachable("what it says of its slots cannot be read".to_owned());
        let mut parts = range.into_iter();
        let first = number(parts.next()).ok_or_else(odd)?;
        let last = number(parts.next()).ok_or_else(odd)?;
        let primary: Vec<Value> = parts.next().and_then(|it| from_redis_value(it).ok()).ok_or_else(odd)?;
        let mut primary = primary.into_iter();
        let host: Option<String> = primary.next().and_then(|host| from_redis_value(host).ok()).flatten();
        let port = number(primary.next()).ok_or_else(odd)?;
        let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| self.node.0.clone());
        Ok((first, last, (host, port)))
    }
}

impl FirstConnection {
    pub(super) fn into_parts(self) -> (Link, Option<Durability>) {
        (self.link, self.durability)
    }
}

fn number(value: Option<Value>) -> Option<u16> {
    u16::from_redis_value(value?).ok()
}

fn certificates(settings: &Settings) -> Result<Option<TlsCertificates>, RedisError> {
    let Some(path) = &settings.ca else { return Ok(None) };
    let unreadable = |error: io::Error| RedisError::Certificate(format!("{}: {error}", path.display()));
    if !settings.url.starts_with("rediss:") {
        return Err(RedisError::Certificate("it is for an address that begins with rediss://".to_owned()));
    }
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(fs::read(path).map_err(unreadable)?) }))
}

fn client(info: ConnectionInfo, certificates: Option<&TlsCertificates>) -> redis::RedisResult<Client> {
    match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates.clone()),
        None => Client::open(info),
    }
}
