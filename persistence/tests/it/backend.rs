//! A place that keeps things, and can be closed and opened again.

use std::path::PathBuf;

use smartcart_engine::{journal::Journal, store::Store};
use smartcart_persistence::sqlite::{Embedded, open};
use tempfile::TempDir;

pub(crate) trait Backend {
    fn journal(&self) -> &dyn Journal;
    fn store(&self) -> &dyn Store;
    async fn restarted(self) -> Self;
}

pub(crate) struct Sqlite {
    directory: TempDir,
    embedded: Embedded,
}

impl Sqlite {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let embedded = open(&address(&directory)).await.unwrap();
        Self { directory, embedded }
    }

    /// Closes both files, and lets something happen to them.
    pub(crate) async fn closed(self) -> ClosedSqlite {
        self.embedded.store.close().await;
        self.embedded.journal.close().await;
        ClosedSqlite { directory: self.directory }
    }

    pub(crate) fn address(&self) -> String {
        address(&self.directory)
    }
}

fn address(directory: &TempDir) -> String {
    format!("sqlite:{}/data/shop.db", directory.path().display())
}

impl Backend for Sqlite {
    fn journal(&self) -> &dyn Journal {
        &*self.embedded.journal
    }

    fn store(&self) -> &dyn Store {
        &*self.embedded.store
    }

    async fn restarted(self) -> Self {
        self.closed().await.opened().await
    }
}

pub(crate) struct ClosedSqlite {
    directory: TempDir,
}

impl ClosedSqlite {
    pub(crate) fn tables(&self) -> PathBuf {
        self.directory.path().join("data/shop.db")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.path().join("data/shop-journal.db")
    }

    pub(crate) async fn opened(self) -> Sqlite {
        let embedded = open(&address(&self.directory)).await.unwrap();
        Sqlite { directory: self.directory, embedded }
    }

    /// Runs SQL on one of the files behind the shop's back.
    pub(crate) async fn tamper(&self, file: PathBuf, sql: &'static str) {
        use sqlx::{ConnectOptions, Connection};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection = options.foreign_keys(false).connect().await.unwrap();
        sqlx::raw_sql("PRAGMA ignore_check_constraints = ON").execute(&mut connection).await.unwrap();
        let changed = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap().rows_affected();
        assert!(changed > 0, "nothing was changed by {sql}");
        connection.close().await.unwrap();
    }
}
