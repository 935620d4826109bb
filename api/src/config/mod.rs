//! Settings: flags over `SMARTCART_*` variables over a TOML file. Each part of the service has its own section, and
//! turns it into what that part takes.

mod auth;
mod engine;
mod http;
mod log;
mod ops;
mod peers;
pub mod renamed;
mod setting;
mod shop;
mod storage;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use auth::AuthSettings;
pub use engine::EngineSettings;
pub use http::{HttpSettings, RequestConfig};
pub use log::{LogConfig, LogFormat, LogSettings};
pub use ops::OpsSettings;
pub use peers::{PeerConfig, PeerSettings, TrustConfig};
pub use setting::ConfigError;
pub use shop::{Seed, ShopConfig, ShopSettings};
pub use storage::{StorageConfig, StorageSettings};

use crate::{auth::AuthConfig, front::FrontConfig, server::ServerConfig};

/// Every section. In the file each is a table: `[http]`, `[shop]`, ...
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    #[command(flatten)]
    pub http: HttpSettings,
    #[command(flatten)]
    pub ops: OpsSettings,
    #[command(flatten)]
    pub storage: StorageSettings,
    #[command(flatten)]
    pub peers: PeerSettings,
    #[command(flatten)]
    pub auth: AuthSettings,
    #[command(flatten)]
    pub shop: ShopSettings,
    #[command(flatten)]
    pub engine: EngineSettings,
    #[command(flatten)]
    pub log: LogSettings,
}

/// What the parts of the service take.
#[derive(Debug, Clone)]
pub struct Config {
    pub api: ServerConfig,
    pub requests: RequestConfig,
    pub front: FrontConfig,
    pub ops: ServerConfig,
    pub storage: StorageConfig,
    /// For a pod of a fleet.
    pub peers: PeerSettings,
    pub admin_token_file: PathBuf,
    pub auth: AuthConfig,
    pub shop: ShopConfig,
    pub engine: smartcart_engine::engine::Config,
    pub log: LogConfig,
}

impl Config {
    /// This process as a pod of a fleet; `None` for a single process.
    pub fn peers(&self) -> Result<Option<PeerConfig>, ConfigError> {
        self.storage.is_shared().then(|| self.peers.clone().build()).transpose()
    }
}

impl Settings {
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let wrong = |error| ConfigError::Parse { path: path.to_owned(), error: Box::new(error) };
        renamed::check_file(&text.parse().map_err(wrong)?)?;
        toml::from_str(&text).map_err(wrong)
    }

    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            http: self.http.or(other.http),
            ops: self.ops.or(other.ops),
            storage: self.storage.or(other.storage),
            peers: self.peers.or(other.peers),
            auth: self.auth.or(other.auth),
            shop: self.shop.or(other.shop),
            engine: self.engine.or(other.engine),
            log: self.log.or(other.log),
        }
    }

    pub fn build(self) -> Result<Config, ConfigError> {
        let storage = self.storage.build()?;
        let (api, requests, front) = self.http.build()?;
        let (admin_token_file, auth) = self.auth.build(&storage)?;
        let shop = self.shop.build(&storage)?;
        Ok(Config {
            ops: self.ops.build(),
            engine: self.engine.build(shop.limits)?,
            log: self.log.build(),
            api,
            requests,
            front,
            peers: self.peers,
            storage,
            admin_token_file,
            auth,
            shop,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    fn file(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let config = Settings::default().build().unwrap();
        assert_eq!(config.api.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.ops.listen.to_string(), "127.0.0.1:9080");
        assert_eq!(config.storage.database_url, "sqlite:data/shop.db");
        assert_eq!(config.admin_token_file, Path::new("data/admin-token"));
        assert_eq!(config.shop.seed, Seed::Demo);
    }

    /// The example names every setting, and says what it is by itself.
    #[test]
    fn the_example_file_is_the_default() {
        let text = include_str!("../../smartcart.example.toml");
        let (example, defaults) = (file(text).unwrap(), Settings::default());
        let unset = format!("{:?}", example.clone()).matches("None").count();
        assert_eq!(
            unset, 10,
            "another journal, and a fleet's settings, have no value of their own: {example:?}"
        );
        let mut example = example.build().unwrap();
        // That a database was named is the one thing that makes a difference.
        example.storage.is_default = true;
        assert_eq!(format!("{example:?}"), format!("{:?}", defaults.build().unwrap()));
    }

    /// The new name of a renamed setting exists, and the old one does not.
    #[test]
    fn a_renamed_setting_has_its_new_name_only() {
        let command = Settings::augment_args(clap::Command::new("settings"));
        let names: Vec<&str> = command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
        for renamed in renamed::RENAMED {
            assert!(names.contains(&renamed.new), "{}", renamed.new);
            assert!(!names.contains(&renamed.old), "{}", renamed.old);
        }
    }

    #[test]
    fn what_is_nearer_counts() {
        let near = file("[shop]\ncurrency = \"EUR\"").unwrap();
        let far = file("[shop]\ncurrency = \"USD\"\n[http]\nlisten = \"0.0.0.0:80\"").unwrap();
        let config = near.or(far).build().unwrap();
        assert_eq!(config.shop.currency.as_str(), "EUR");
        assert_eq!(config.api.listen.port(), 80);
    }

    #[test]
    fn a_database_of_ones_own_is_not_filled_with_demo_goods() {
        let config = file("[storage]\ndatabase_url = \"sqlite:/srv/shop/shop.db\"").unwrap().build().unwrap();
        assert_eq!(config.shop.seed, Seed::None);
        assert_eq!(config.admin_token_file, Path::new("/srv/shop/admin-token"));
    }

    #[test]
    fn what_is_not_known_or_not_possible_is_refused() {
        assert!(file("[http]\nlisten_on = \"x\"").is_err());
        assert!(file("[shop]\ncurrency = \"pounds\"").is_err());
        for text in [
            "[http]\nmax_connections = 0",
            "[http]\ncors_origins = \"shop.example\"",
            "[http]\ncors_origins = \"https://shop.example/\"",
            "[storage]\ndatabase_url = \"mysql://db/shop\"",
            "[storage]\njournal_url = \"redis://cache\"",
            "[storage]\ndatabase_url = \"postgres://db/shop\"\njournal_url = \"memcached://cache\"",
            "[storage]\ndatabase_url = \"postgres://db/shop\"\njournal_durability = \"replica\"",
            "[storage]\ndatabase_url = \"postgres://db/shop\"\njournal_url = \"redis://c\"\njournal_durability = \"replica:0\"",
            "[storage]\ndatabase_url = \"postgres://db/shop\"\njournal_url = \"redis://c\"\njournal_ca_file = \"/no/such\"",
        ] {
            assert!(file(text).unwrap().build().is_err(), "{text}");
        }
        let fleet = file("[storage]\ndatabase_url = \"postgres://db/shop\"").unwrap().build().unwrap();
        assert!(fleet.peers().is_err(), "a pod says who it is");
    }
}
