//! Opening the two files: the lock, the version check, the migrations.

use std::{path::Path, sync::Arc};

use sqlx::{
    ConnectOptions, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};

use super::{
    backup,
    files::{Files, connect_options},
    journal::SqliteJournal,
    run,
    tables::SqliteStore,
};
use crate::error::{BackupError, OpenError, Severity, severity};

static JOURNAL: Migrator = sqlx::migrate!("migrations/sqlite/journal");
static SHOP: Migrator = sqlx::migrate!("migrations/sqlite/shop");

/// 3.51.3 mends the WAL reset that could corrupt a database with several connections.
const OLDEST_SQLITE: (&str, [u32; 3]) = ("3.51.3", [3, 51, 3]);

/// The embedded shop, opened.
#[derive(Debug, Clone)]
pub struct Embedded {
    pub journal: Arc<SqliteJournal>,
    pub store: Arc<SqliteStore>,
    files: Files,
}

impl Embedded {
    /// Copies the running shop's files into a new folder. To restore them, put both in the places of a stopped shop's.
    pub async fn backup(&self, to: &Path) -> Result<(), BackupError> {
        backup::copy(&self.files, &self.journal, to).await
    }
}

/// What is done about files of which one is missing, or older than the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingChanges {
    /// They are not opened.
    Refuse,
    /// What is missing is lost.
    Accept,
}

/// Opens the shop of a `sqlite:` address, and makes it if there is none. The journal's file stands beside the tables'
/// (`shop.db`, `shop-journal.db`), and its lock, held while the process lives, guards both.
pub async fn open(address: &str, missing: MissingChanges) -> Result<Embedded, OpenError> {
    let files = Files::of(address)?;
    files.create()?;
    let mut journal = open_journal(&files.journal).await?;
    let mut writer = open_tables(&files.tables).await?;
    run::begin(&mut journal, &mut writer, missing == MissingChanges::Accept)
        .await
        .map_err(|error| unusable(&files.journal, &error))?
        .map_err(|mismatch| OpenError::Mismatch {
            mismatch,
            journal: files.journal.clone(),
            tables: files.tables.clone(),
        })?;
    let journal = SqliteJournal::new(journal)
        .await
        .map_err(|reason| OpenError::Unusable { path: files.journal.clone(), reason })?;
    let store = SqliteStore::new(writer, tables(&files.tables), reader(&files.tables))
        .await
        .map_err(|error| unusable(&files.tables, &error))?;
    Ok(Embedded { journal: Arc::new(journal), store: Arc::new(store), files })
}

/// Brings both files to this version's schema, and closes them again.
pub async fn migrate(address: &str) -> Result<(), OpenError> {
    let Embedded { journal, store, .. } = open(address, MissingChanges::Refuse).await?;
    store.close().await;
    journal.close().await;
    Ok(())
}

/// One connection that never lets go of the file's lock.
async fn open_journal(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = connect_options(path)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // 2 MiB: a checkpoint is short, and the file's pages are used again.
        .pragma("wal_autocheckpoint", "512");
    let mut connection = options.connect().await.map_err(|error| unusable(path, &error))?;
    check_version(&mut connection, path).await?;
    migrate_file(&JOURNAL, &mut connection, path).await?;
    Ok(connection)
}

/// How the one connection that writes is opened.
fn tables(path: &Path) -> SqliteConnectOptions {
    connect_options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // 16 MiB: a page that is written often reaches the file once.
        .pragma("wal_autocheckpoint", "4096")
        // 16 MiB: ids are random, so only the tree's inner pages are sure to be used again; leaves come from the system's cache.
        .pragma("cache_size", "-16384")
}

async fn open_tables(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = tables(path).connect().await.map_err(|error| unusable(path, &error))?;
    migrate_file(&SHOP, &mut connection, path).await?;
    Ok(connection)
}

fn reader(path: &Path) -> SqliteConnectOptions {
    connect_options(path).pragma("query_only", "ON").pragma("cache_size", "-4096")
}

async fn migrate_file(
    migrator: &Migrator,
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), OpenError> {
    migrator.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
            OpenError::Newer { path: path.to_owned() }
        }
        MigrateError::Execute(error) => unusable(path, &error),
        other => OpenError::Unusable { path: path.to_owned(), reason: other.to_string() },
    })
}

async fn check_version(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found = sqlx::query_scalar!(r#"SELECT sqlite_version() AS "version!: String""#)
        .fetch_one(connection)
        .await
        .map_err(|error| unusable(path, &error))?;
    let (needed, oldest) = OLDEST_SQLITE;
    if parse_version(&found).is_none_or(|version| version < oldest) {
        return Err(OpenError::TooOld { found, needed });
    }
    Ok(())
}

fn parse_version(text: &str) -> Option<[u32; 3]> {
    let parts: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}

fn unusable(path: &Path, error: &sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match severity(error) {
        Severity::Busy => OpenError::InUse { path },
        Severity::Refused | Severity::NoRoom | Severity::Fatal => {
            OpenError::Unusable { path, reason: error.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_files_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("deep/data");
        let _shop =
            open(&format!("sqlite:{}/shop.db", data.display()), MissingChanges::Refuse).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        for file in std::fs::read_dir(&data).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(parse_version("3.51.3").is_some_and(|v| v >= OLDEST_SQLITE.1));
        assert!(parse_version("3.9.10").is_some_and(|v| v < OLDEST_SQLITE.1));
        assert_eq!(parse_version("3.x"), None);
    }
}
