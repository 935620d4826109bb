//! Opening the two files: the lock, the version check, the migrations.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    ConnectOptions, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};

use super::{journal::SqliteJournal, tables::SqliteStore};
use crate::error::{OpenError, Severity, severity};

static JOURNAL: Migrator = sqlx::migrate!("migrations/sqlite/journal");
static SHOP: Migrator = sqlx::migrate!("migrations/sqlite/shop");

/// 3.51.3 mends the WAL reset that could corrupt a database with several connections.
const OLDEST_SQLITE: (&str, [u32; 3]) = ("3.51.3", [3, 51, 3]);

/// How long to wait for a predecessor that is just ending.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The embedded shop, opened.
#[derive(Debug, Clone)]
pub struct Embedded {
    pub journal: Arc<SqliteJournal>,
    pub store: Arc<SqliteStore>,
}

/// Opens the shop of a `sqlite:` address, and makes it if there is none. The journal's file stands beside the tables'
/// (`shop.db`, `shop-journal.db`), and its lock, held while the process lives, guards both.
pub async fn open(address: &str) -> Result<Embedded, OpenError> {
    let files = Files::of(address)?;
    files.create()?;
    let journal = open_journal(&files.journal).await?;
    let writer = open_tables(&files.tables).await?;
    let store = SqliteStore::new(writer, tables(&files.tables), reader(&files.tables))
        .await
        .map_err(|error| unusable(&files.tables, &error))?;
    Ok(Embedded { journal: Arc::new(journal), store: Arc::new(store) })
}

/// Brings both files to this version's schema, and closes them again.
pub async fn migrate(address: &str) -> Result<(), OpenError> {
    let Embedded { journal, store } = open(address).await?;
    store.close().await;
    journal.close().await;
    Ok(())
}

struct Files {
    tables: PathBuf,
    journal: PathBuf,
}

impl Files {
    fn of(address: &str) -> Result<Self, OpenError> {
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

    /// The directory and the files are their owner's alone: they hold the shop's secret and its shoppers.
    fn create(&self) -> Result<(), OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Create { path, source }
        };
        let absolute = std::path::absolute(&self.tables).map_err(failed(&self.tables))?;
        let directory = absolute.parent().unwrap_or(&absolute);
        let fresh = !directory.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
        for file in [&self.journal, &self.tables] {
            OpenOptions::new().append(true).create(true).mode(0o600).open(file).map_err(failed(file))?;
        }
        // SQLite makes its files durable; their names are ours to make so.
        sync(directory).map_err(failed(directory))?;
        match directory.parent() {
            Some(parent) if fresh => sync(parent).map_err(failed(parent)),
            _ => Ok(()),
        }
    }
}

fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(LOCK_PATIENCE).disable_statement_logging()
}

/// One connection that never lets go of the file's lock.
async fn open_journal(path: &Path) -> Result<SqliteJournal, OpenError> {
    let options = options(path)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // 2 MiB: a checkpoint is short, and the file's pages are used again.
        .pragma("wal_autocheckpoint", "512");
    let mut connection = options.connect().await.map_err(|error| unusable(path, &error))?;
    check_version(&mut connection, path).await?;
    run(&JOURNAL, &mut connection, path).await?;
    SqliteJournal::new(connection)
        .await
        .map_err(|reason| OpenError::Unusable { path: path.to_owned(), reason })
}

/// How the one connection that writes is opened.
fn tables(path: &Path) -> SqliteConnectOptions {
    options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // 16 MiB: a page that is written often reaches the file once.
        .pragma("wal_autocheckpoint", "4096")
        // 16 MiB: ids are random, so only the tree's inner pages are sure to be used again; leaves come from the system's cache.
        .pragma("cache_size", "-16384")
}

async fn open_tables(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = tables(path).connect().await.map_err(|error| unusable(path, &error))?;
    run(&SHOP, &mut connection, path).await?;
    Ok(connection)
}

fn reader(path: &Path) -> SqliteConnectOptions {
    options(path).pragma("query_only", "ON").pragma("cache_size", "-4096")
}

async fn run(migrator: &Migrator, connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
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

    #[tokio::test]
    async fn the_files_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("deep/data");
        let _shop = open(&format!("sqlite:{}/shop.db", data.display())).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        for file in std::fs::read_dir(&data).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[test]
    fn other_addresses_are_refused() {
        for address in
            ["postgres://localhost/shop", "data/shop.db", "sqlite::memory:", "sqlite:", "sqlite:a.db?mode=ro"]
        {
            assert!(matches!(Files::of(address), Err(OpenError::Address(_))), "{address}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(parse_version("3.51.3").is_some_and(|v| v >= OLDEST_SQLITE.1));
        assert!(parse_version("3.9.10").is_some_and(|v| v < OLDEST_SQLITE.1));
        assert_eq!(parse_version("3.x"), None);
    }
}
