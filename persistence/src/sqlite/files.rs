//! Where the shop's two files are, and how they are opened.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{directory, error::OpenError};

/// How long to wait for a predecessor that is just ending.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The shop's two files.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) tables: PathBuf,
    pub(super) journal: PathBuf,
}

impl Files {
    pub(super) fn of(address: &str) -> Result<Self, OpenError> {
        let refuse = || OpenError::Address(address.to_owned());
        let path = address.strip_prefix("sqlite:").ok_or_else(refuse)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.contains(['?', '#']) || path.contains(":memory:") {
            return Err(refuse());
        }
        let tables = PathBuf::from(path);
        let mut name = tables.file_stem().ok_or_else(refuse)?.to_owned();
        name.push("-journal.db");
        Ok(Self { journal: tables.with_file_name(name), tables })
    }

    /// Files of the same names in another folder.
    pub(super) fn in_folder(&self, folder: &Path) -> Self {
        let there = |file: &Path| folder.join(file.file_name().unwrap_or_default());
        Self { tables: there(&self.tables), journal: there(&self.journal) }
    }

    /// The directory and the files are their owner's alone: they hold the shop's secret and its shoppers.
    pub(super) fn create(&self) -> Result<(), OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Create { path, source }
        };
        let absolute = std::path::absolute(&self.tables).map_err(failed(&self.tables))?;
        let folder = absolute.parent().unwrap_or(&absolute);
        directory::create(folder).map_err(failed(folder))?;
        for file in [&self.journal, &self.tables] {
            OpenOptions::new().append(true).create(true).mode(0o600).open(file).map_err(failed(file))?;
        }
        // SQLite makes its files durable; their names are ours to make so.
        directory::sync(folder).map_err(failed(folder))
    }
}

pub(super) fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(LOCK_PATIENCE).disable_statement_logging()
}

/// Copies what a connection sees into a new file; one that is there already is refused.
pub(super) async fn copy_into(connection: &mut SqliteConnection, path: &Path) -> Result<(), sqlx::Error> {
    let path = path.to_string_lossy().replace('\'', "''");
    sqlx::raw_sql(AssertSqlSafe(format!("VACUUM INTO '{path}'"))).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_stands_beside_the_tables() {
        for address in ["sqlite:data/shop.db", "sqlite://data/shop.db"] {
            let files = Files::of(address).unwrap();
            assert_eq!(files.tables, Path::new("data/shop.db"));
            assert_eq!(files.journal, Path::new("data/shop-journal.db"));
        }
        let absolute = Files::of("sqlite:///var/lib/shop.db").unwrap();
        assert_eq!(absolute.journal, Path::new("/var/lib/shop-journal.db"));
    }

    #[test]
    fn other_addresses_are_refused() {
        for address in
            ["postgres://localhost/shop", "data/shop.db", "sqlite::memory:", "sqlite:", "sqlite:a.db?mode=ro"]
        {
            assert!(matches!(Files::of(address), Err(OpenError::Address(_))), "{address}");
        }
    }
}
