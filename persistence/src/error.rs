//! What went wrong, in the shop's words: databases' codes end here.

use std::path::PathBuf;

use smartcart_domain::failure::{Effect, Failure};
use smartcart_engine::store::{Conflict, StoreError};
use sqlx::postgres::PgDatabaseError;

use smartcart_wire::Malformed;

/// Why the shop's files cannot be opened, and how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "'{0}' is not the address of a SQLite file: write sqlite:data/shop.db or sqlite:///var/lib/smartcart/shop.db"
    )]
    Address(String),
    #[error("cannot create {path}: {source}; give this process a directory it may write to")]
    Create { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} is in use by another process: a shop's files belong to one process at a time; stop the other one"
    )]
    InUse { path: PathBuf },
    #[error("SQLite {found} is too old: {needed} or newer is needed")]
    TooOld { found: String, needed: &'static str },
    #[error("{path} was written by a newer version of this program: run that version, or restore a backup")]
    Newer { path: PathBuf },
    #[error(
        "{mismatch}: put back the {journal} and {tables} of one backup (`smartcart backup` makes them); or, to go on without \
         the changes that are missing, start once with SMARTCART_MISSING_CHANGES=accept"
    )]
    Mismatch { mismatch: Mismatch, journal: PathBuf, tables: PathBuf },
    #[error("{path} cannot be opened: {reason}")]
    Unusable { path: PathBuf, reason: String },
}

/// Why a shop's two files do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("the journal is missing, and with it changes that were acknowledged")]
    NoJournal,
    #[error("the journal is there, and its tables are missing")]
    NoTables,
    #[error("the journal and the tables are of different shops")]
    OtherShop,
    #[error("the tables are older than the journal, as after a restore of one file alone")]
    OldTables,
    #[error("the journal is older than the tables, as after a restore of one file alone")]
    OldJournal,
}

impl Mismatch {
    /// Whether what is left is a shop, without the changes that are missing.
    pub(crate) const fn can_be_accepted(self) -> bool {
        matches!(self, Self::NoJournal | Self::OldJournal | Self::OldTables)
    }
}

/// Why there is no copy of a shop.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("cannot write {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the copy failed: {0}")]
    Copy(#[from] sqlx::Error),
    #[error("the shop is closed")]
    Closed,
}

/// Why the shop's PostgreSQL cannot be used, and how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("'{0}' is not the address of a PostgreSQL: write postgres://user:password@host:5432/database")]
    Address(String),
    #[error("PostgreSQL does not answer: {0}")]
    Unreachable(String),
    #[error("PostgreSQL {found} is too old: {needed} or newer is needed")]
    TooOld { found: String, needed: u32 },
    #[error(
        "PostgreSQL runs with {setting} = off: what it has acknowledged would not survive a crash; turn it on"
    )]
    Unsafe { setting: &'static str },
    #[error("the database was brought to a schema that this version cannot use: run the newer version")]
    Newer,
    #[error("the database cannot be brought to this version's schema: {0}")]
    Schema(String),
}

/// Why a Redis cannot be the journal, and how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    #[error(
        "'{0}' is not the address of a Redis: write redis://user:password@host:6379, or rediss:// for TLS"
    )]
    Address(String),
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    #[error("Redis does not answer: {0}")]
    Unreachable(String),
    #[error("{found} is too old: {}.{} or newer is needed", .needed.0, .needed.1)]
    TooOld { found: String, needed: (u32, u32) },
    #[error("this Redis is a replica: give the address of the one that is written to")]
    Replica,
    #[error("Redis runs with {setting} = {found}: {consequence}; set it to {needed}")]
    UnsafeSetting { setting: &'static str, found: String, needed: &'static str, consequence: &'static str },
    #[error(
        "this Redis hides its settings, so what it keeps is unknown: allow CONFIG GET or, if it is a service that writes a \
         log of its own before it answers, set journal_durability to synchronous"
    )]
    SettingsHidden,
    #[error(
        "this Redis shows its settings, so it is not a service that writes a log of its own before it answers: set \
         journal_durability to single or replica"
    )]
    NotAService,
    #[error(
        "fewer than {needed} replicas confirm writes: check that they run, with appendonly yes and appendfsync always"
    )]
    Unconfirmed { needed: u16 },
}

impl RedisError {
    /// Whether it may pass by itself; otherwise an operator must act.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Replica | Self::Unconfirmed { .. })
    }
}

impl From<redis::RedisError> for RedisError {
    fn from(error: redis::RedisError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// There was no connection to send anything over.
impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::not_applied(format!("Redis: {error}"))
    }
}

/// What a function over a connection can end with.
#[derive(Debug)]
pub(crate) enum TableError {
    Sql(sqlx::Error),
    Store(StoreError),
}

pub(crate) type TableResult<T> = Result<T, TableError>;

impl From<sqlx::Error> for TableError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for TableError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Sql(error) => store_error(&error),
            TableError::Store(error) => error,
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Sql(error) => failure(&error),
            TableError::Store(StoreError::Failed(failure) | StoreError::Unwritable(failure)) => failure,
            TableError::Store(error) => Self::not_applied(error.to_string()),
        }
    }
}

/// What a failed statement of SQLite means for what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// A row was refused; the database is well.
    Refused,
    /// Somebody has the lock: again.
    Busy,
    /// The file cannot grow, as on a full disk. The transaction is undone, and may be done again when there is room.
    NoRoom,
    /// The disk or the file cannot be trusted any more.
    Fatal,
}

/// Primary result codes of SQLite (the low byte of the extended code).
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_FULL: i32 = 13;
const SQLITE_CONSTRAINT: i32 = 19;
/// Extended ones: the system refused a write at once, or did not let the WAL's index grow. What it refuses at an fsync is worse:
/// pages that were not written may pass for clean afterwards.
const SQLITE_IOERR_WRITE: i32 = 778;
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

pub(crate) fn severity(error: &sqlx::Error) -> Severity {
    match error {
        sqlx::Error::Database(_) => match sqlite_code(error).map(|code| (code & 0xff, code)) {
            Some((SQLITE_BUSY | SQLITE_LOCKED, _)) => Severity::Busy,
            Some((SQLITE_CONSTRAINT, _)) => Severity::Refused,
            Some((SQLITE_FULL, _) | (_, SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE)) => Severity::NoRoom,
            _ => Severity::Fatal,
        },
        sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Severity::Refused
        }
        sqlx::Error::PoolTimedOut => Severity::Busy,
        _ => Severity::Fatal,
    }
}

/// The extended code.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// A constraint that no statement expects to meet is the second line of defence: a defect, not a client's fault.
/// The constraints that clients can meet are met by `ON CONFLICT` and never arrive here.
pub(crate) fn store_error(error: &sqlx::Error) -> StoreError {
    if let Some(PostgresRefusal::Constraint(what)) = postgres_refusal(error) {
        return StoreError::Conflict(Conflict::Invariant(what));
    }
    match error {
        sqlx::Error::Database(database) if severity(error) == Severity::Refused => {
            StoreError::Conflict(Conflict::Invariant(database.message().to_owned()))
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Corrupt(error.to_string()),
        _ => failure(error).into(),
    }
}

/// The same for what only reads: whatever became of the connection, nothing was changed.
pub(crate) fn read_error(error: TableError) -> StoreError {
    match StoreError::from(error) {
        StoreError::Failed(failure) => failure.of_read().into(),
        other => other,
    }
}

/// What a database's error says of the work that it ended.
pub(crate) fn failure(error: &sqlx::Error) -> Failure {
    let effect = match postgres_refusal(error) {
        Some(PostgresRefusal::Fenced) => return Failure::fenced(),
        Some(PostgresRefusal::Ended) => Effect::Indeterminate,
        Some(PostgresRefusal::Constraint(_) | PostgresRefusal::Again) => Effect::NotApplied,
        None => match error {
            // Nothing was sent.
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Configuration(_) => {
                Effect::NotApplied
            }
            // SQLite; after anything worse its file is not trusted any more.
            sqlx::Error::Database(_) if severity(error) != Severity::Fatal => Effect::NotApplied,
            // The answer was lost, perhaps that to the COMMIT.
            _ => Effect::Indeterminate,
        },
    };
    let no_room = matches!(error, sqlx::Error::Database(_)) && severity(error) == Severity::NoRoom;
    let reason = if no_room { format!("its file cannot grow: {error}") } else { error.to_string() };
    Failure { effect, reason }
}

/// There was no connection: nothing was sent.
pub(crate) fn not_connected(error: &sqlx::Error) -> StoreError {
    Failure::not_applied(error.to_string()).into()
}

/// What PostgreSQL refused; it is well, and so is the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PostgresRefusal {
    /// The writer was declared dead (`fence()` in the migrations).
    Fenced,
    Constraint(String),
    /// A time-out, a deadlock, a lack of resources: nothing was written, another try may succeed.
    Again,
    /// The session was ended from outside, perhaps after its COMMIT was done.
    Ended,
}

/// Of the migrations' own.
const FENCED: &str = "SC001";
/// Integrity constraint violation.
const CONSTRAINT_CLASS: &str = "23";
/// Shutdown by an administrator, after a crash of another session, and completion unknown.
const ENDED: [&str; 3] = ["57P01", "57P02", "40003"];

pub(crate) fn postgres_refusal(error: &sqlx::Error) -> Option<PostgresRefusal> {
    let sqlx::Error::Database(database) = error else { return None };
    let refused = database.try_downcast_ref::<PgDatabaseError>()?;
    Some(match refused.code() {
        FENCED => PostgresRefusal::Fenced,
        code if code.starts_with(CONSTRAINT_CLASS) => {
            PostgresRefusal::Constraint(refused.message().to_owned())
        }
        code if ENDED.contains(&code) => PostgresRefusal::Ended,
        _ => PostgresRefusal::Again,
    })
}

/// A record in a row that cannot be read.
pub(crate) fn corrupt(subject: impl std::fmt::Display) -> impl FnOnce(Malformed) -> StoreError {
    move |malformed| StoreError::Corrupt(format!("{subject}: {malformed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_leaves_a_write_unknown_and_a_read_undone() {
        let lost = || TableError::Sql(sqlx::Error::Io(std::io::Error::other("the connection was lost")));
        let effect = |error| match error {
            StoreError::Failed(failure) => failure.effect,
            other => panic!("{other:?}"),
        };
        assert_eq!(effect(StoreError::from(lost())), Effect::Indeterminate);
        assert_eq!(effect(read_error(lost())), Effect::NotApplied);
        assert_eq!(effect(StoreError::from(TableError::Sql(sqlx::Error::PoolTimedOut))), Effect::NotApplied);
    }
}
