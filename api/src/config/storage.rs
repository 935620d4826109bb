use std::path::{Path, PathBuf};

use serde::Deserialize;
use smartcart_persistence::{
    redis::{Class, Server, Settings},
    sqlite,
};

use super::setting::{ConfigError, settings};

settings! {
    /// Where everything durable is.
    StorageSettings {
        /// The tables: sqlite:PATH, or postgres://... for a fleet [sqlite:data/shop.db]
        database_url: String = "DATABASE_URL",
        /// Of an embedded shop whose journal is missing or older than its tables: refuse to start, or accept that what is missing
        /// is lost [refuse]
        missing_changes: MissingChanges = "SMARTCART_MISSING_CHANGES",
        /// The journal of a fleet, when it is not to be beside the tables: redis://HOST:PORT, or rediss: with TLS
        journal_url: String = "SMARTCART_JOURNAL_URL",
        /// What its answers mean: single; replica, replica:2 (so many confirm each entry); synchronous (MemoryDB) [single]
        journal_durability: String = "SMARTCART_JOURNAL_DURABILITY",
        /// Who signs its certificate (PEM), when it is not one of this machine's authorities
        journal_ca_file: PathBuf = "SMARTCART_JOURNAL_CA_FILE",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum MissingChanges {
    Refuse,
    Accept,
}

impl From<MissingChanges> for sqlite::MissingChanges {
    fn from(setting: MissingChanges) -> Self {
        match setting {
            MissingChanges::Refuse => Self::Refuse,
            MissingChanges::Accept => Self::Accept,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfig {
    pub database_url: String,
    /// A journal in Redis, in front of the database.
    pub journal: Option<Settings>,
    pub missing_changes: sqlite::MissingChanges,
    /// No database was chosen: somebody is trying the shop out.
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
        let is_default = self.database_url.is_none();
        let missing_changes = self.missing_changes.unwrap_or(MissingChanges::Refuse).into();
        let journal = self.journal()?;
        if journal.is_some() && !is_shared {
            let why =
                "one process keeps its journal beside its tables; set database_url to a PostgreSQL first";
            return Err(ConfigError::value("journal_url", why));
        }
        Ok(StorageConfig { database_url, journal, is_default, missing_changes })
    }

    fn journal(self) -> Result<Option<Settings>, ConfigError> {
        let class = self.journal_durability.as_deref().map(str::parse::<Class>).transpose();
        let class = class.map_err(|error| ConfigError::value("journal_durability", error.to_string()))?;
        let Some(url) = self.journal_url else {
            if class.is_some() || self.journal_ca_file.is_some() {
                return Err(ConfigError::value(
                    "journal_url",
                    "it is missing, but other settings of the journal are set",
                ));
            }
            return Ok(None);
        };
        let settings = Settings { url, class: class.unwrap_or_default(), ca: self.journal_ca_file };
        Server::new(&settings).map_err(|error| ConfigError::value("journal_url", error.to_string()))?;
        Ok(Some(settings))
    }
}

impl StorageConfig {
    /// Whether other pods can share the database.
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
