//! A Redis Cluster of three primaries, and a replica of the first when it is asked for.

use std::time::Duration;

use super::server::RedisServer;

pub(crate) struct Cluster {
    pub(crate) primaries: Vec<RedisServer>,
}

/// First and last slot of each.
const SHARES: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

impl Cluster {
    pub(crate) async fn new() -> Self {
        let mut primaries = Vec::new();
        for _ in SHARES {
            primaries.push(node().await);
        }
        for (primary, (first, last)) in primaries.iter().zip(SHARES) {
            primary.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]).await.unwrap();
            meet(primary, &primaries[0]).await;
        }
        let cluster = Self { primaries };
        cluster.is_whole().await;
        cluster
    }

    /// Of any of them.
    pub(crate) fn address(&self) -> String {
        self.primaries[0].address()
    }

    pub(crate) async fn restart(&mut self) {
        for primary in &mut self.primaries {
            primary.kill();
        }
        for primary in &mut self.primaries {
            primary.start().await;
        }
        self.is_whole().await;
    }

    /// A new replica of one, which has everything, and which all know.
    pub(crate) async fn replica_of(&self, primary: &RedisServer) -> RedisServer {
        let replica = node().await;
        meet(&replica, primary).await;
        let id = text(primary.ask(&["CLUSTER", "MYID"]).await.unwrap());
        let mut follows = false;
        for _ in 0..1_200 {
            // It must have heard of it first.
            follows = follows || replica.ask(&["CLUSTER", "REPLICATE", &id]).await.is_ok();
            if follows && replica.info("master_link_status").await.as_deref() == Some("up") {
                for primary in &self.primaries {
                    knows(primary, "cluster_known_nodes:4").await;
                }
                return replica;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not follow");
    }

    async fn is_whole(&self) {
        for primary in &self.primaries {
            knows(primary, "cluster_state:ok").await;
            knows(primary, "cluster_known_nodes:3").await;
        }
    }
}

/// Waits until it says so.
async fn knows(node: &RedisServer, what: &str) {
    for _ in 0..1_200 {
        if text(node.ask(&["CLUSTER", "INFO"]).await.unwrap()).contains(what) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never said {what}");
}

async fn node() -> RedisServer {
    RedisServer::with_more(|_, bus| {
        let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port"];
        settings.into_iter().map(str::to_owned).chain([bus.to_string()]).collect()
    })
    .await
}

async fn meet(one: &RedisServer, other: &RedisServer) {
    let redis::Value::Array(pair) = other.ask(&["CONFIG", "GET", "cluster-port"]).await.unwrap() else {
        panic!("a setting and its value")
    };
    let (port, bus) = (other.port.to_string(), text(pair[1].clone()));
    one.ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await.unwrap();
}

fn text(value: redis::Value) -> String {
    redis::from_redis_value(value).unwrap()
}
