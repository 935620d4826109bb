use std::{net::SocketAddr, path::PathBuf};

use super::setting::{ConfigError, settings};
use smartcart_peers::TlsFiles;

settings! {
    /// A fleet's pods among themselves; only with PostgreSQL.
    PeerSettings {
        /// This pod's name, the same after a restart [the host's name]
        pod: String = "SMARTCART_POD",
        /// Where other pods reach this one [0.0.0.0:9081 with PostgreSQL]
        peer_listen: SocketAddr = "SMARTCART_PEER_LISTEN",
        /// What other pods dial: host:port [the listener's address]
        peer_advertise: String = "SMARTCART_PEER_ADVERTISE",
        /// A file with the secret that all pods share, 32 bytes or more
        peer_secret_file: PathBuf = "SMARTCART_PEER_SECRET_FILE",
        /// Mutual TLS instead: this pod's certificate chain, PEM
        peer_tls_cert_file: PathBuf = "SMARTCART_PEER_TLS_CERT_FILE",
        /// Its key, PEM
        peer_tls_key_file: PathBuf = "SMARTCART_PEER_TLS_KEY_FILE",
        /// Whoever this authority has signed is a pod of this fleet, PEM
        peer_tls_ca_file: PathBuf = "SMARTCART_PEER_TLS_CA_FILE",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    pub pod: String,
    pub listen: SocketAddr,
    /// Defaults to the listener's own address.
    pub advertise: Option<String>,
    pub trust: TrustConfig,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustConfig {
    Secret(PathBuf),
    Tls(TlsFiles),
}

const LISTEN: &str = "0.0.0.0:9081";

impl PeerSettings {
    /// For a pod of a fleet.
    pub fn build(self) -> Result<PeerConfig, ConfigError> {
        let listen = match self.peer_listen {
            Some(listen) => listen,
            None => LISTEN.parse().map_err(|_| ConfigError::value("peer_listen", "it is not an address"))?,
        };
        if self.peer_advertise.is_none() && listen.ip().is_unspecified() {
            return Err(ConfigError::value(
                "peer_advertise",
                "say what other pods dial, host:port: SMARTCART_PEER_ADVERTISE",
            ));
        }
        let trust = match (self.peer_tls_cert_file, self.peer_tls_key_file, self.peer_tls_ca_file) {
            (Some(certificate), Some(key), Some(authority)) => {
                TrustConfig::Tls(TlsFiles { certificate, key, authority })
            }
            (None, None, None) => TrustConfig::Secret(self.peer_secret_file.ok_or_else(|| {
                ConfigError::value(
                    "peer_secret_file",
                    "pods need a shared secret (SMARTCART_PEER_SECRET_FILE), or TLS (SMARTCART_PEER_TLS_*)",
                )
            })?),
            _ => {
                return Err(ConfigError::value(
                    "peer_tls_cert_file",
                    "TLS needs all three: certificate, key and authority",
                ));
            }
        };
        Ok(PeerConfig {
            pod: self.pod.unwrap_or_else(host_name),
            listen,
            advertise: self.peer_advertise,
            trust,
        })
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "smartcart".to_owned() } else { name.to_owned() }
}
