use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::setting::settings;
use crate::server::ServerConfig;

settings! {
    /// The operator's listener.
    OpsSettings {
        /// Where probes, metrics and the console are; keep it from the public [127.0.0.1:9080]
        ops_listen: SocketAddr = "SMARTCART_OPS_LISTEN",
    }
}

impl OpsSettings {
    pub fn build(self) -> ServerConfig {
        ServerConfig {
            listen: self.ops_listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 9080).into()),
            connections: 256,
            header_time: Duration::from_secs(30),
            header_bytes: 16 * 1024,
            grace: Duration::from_secs(2),
        }
    }
}
