use std::path::{Path, PathBuf};

use smartcart_persistence::redis::Server;

use super::{ConfigError, settings};

settings! {
    /// Where everything durable is.
    StorageSettings {
        /// The tables: sqlite:PATH, or postgres://... for a fleet [sqlite:data/shop.db]
        database_url: String = "DATABASE_URL",
        /// The journal of a fleet, when it is not to be beside the tables: redis://HOST:PORT
        journal_url: String = "SMARTCART_JOURNAL_URL",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfig {
    pub database_url: String,
    /// A Redis before the database.
    pub journal_url: Option<String>,
    /// Nobody chose a database: this is a first look at the shop.
    pub is_default: bool,
}

const DEFAULT: &str = "sqlite:data/shop.db";

impl StorageSettings {
    pub fn build(self) -> Result<StorageConfig, ConfigError> {
        let database_url = self.database_url.clone().unwrap_or_else(|| DEFAULT.to_owned());
        if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| database_url.starts_with(scheme)) {
            return Err(ConfigError::value(
                "database_url",
                "write sqlite:data/shop.db for one process, or postgres://user@host/database for a fleet",
            ));
        }
        let is_shared = !database_url.starts_with("sqlite:");
        if let Some(journal) = &self.journal_url {
            if !is_shared {
                let why =
                    "one process keeps its journal beside its tables; set database_url to a PostgreSQL first";
                return Err(ConfigError::value("journal_url", why));
            }
            Server::at(journal).map_err(|error| ConfigError::value("journal_url", error.to_string()))?;
        }
        let is_default = self.database_url.is_none();
        Ok(StorageConfig { database_url, journal_url: self.journal_url, is_default })
    }
}

impl StorageConfig {
    /// Whether other pods may use the same database.
    pub fn is_shared(&self) -> bool {
        !self.database_url.starts_with("sqlite:")
    }

    /// The folder of the shop's files.
    pub fn folder(&self) -> PathBuf {
        if self.is_shared() {
            return PathBuf::from("data");
        }
        let path = self.database_url.trim_start_matches("sqlite:");
        let path = path.strip_prefix("//").unwrap_or(path);
        Path::new(path).parent().map(Path::to_owned).unwrap_or_default()
    }
}
