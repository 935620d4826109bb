//! The journal in a SQLite file: one row for each entry, one fsync for each append.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::OnceLock,
};

use async_trait::async_trait;
use smartcart_domain::{
    entry::{Entry, Lane},
    failure::Failure,
    id::IncarnationId,
};
use smartcart_engine::journal::{AppendError, Journal, JournalError};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::files;
use crate::columns::{id_bytes, id_of, limit_of, signed, unsigned};
use crate::error::{BackupError, Severity, failure, severity};
use smartcart_wire::{EntryName, decode_entry, encode_entry};

/// The file is this process's alone, so what it holds is known in memory: an append is one `INSERT`.
#[derive(Debug)]
pub struct SqliteJournal {
    file: Mutex<Option<File>>,
    /// Why this journal takes no more. After a failed write or fsync the file's state is not known; only a restart,
    /// which reads it again, may go on.
    failed: OnceLock<String>,
    /// Held while nothing may be forgotten.
    kept: Mutex<()>,
}

#[derive(Debug)]
struct File {
    connection: SqliteConnection,
    /// The last sequence of each lane, also when its entry was trimmed.
    last: BTreeMap<(IncarnationId, Lane), u64>,
    sealed: HashSet<IncarnationId>,
}

/// A lock that nobody else can hold goes away by itself or never.
const BUSY_RETRIES: u32 = 2;

impl SqliteJournal {
    pub(super) async fn new(connection: SqliteConnection) -> Result<Self, String> {
        let mut file = File { connection, last: BTreeMap::new(), sealed: HashSet::new() };
        file.learn().await.map_err(|error| error.to_string())?;
        Ok(Self { file: Mutex::new(Some(file)), failed: OnceLock::new(), kept: Mutex::default() })
    }

    /// While this is held, nothing is trimmed or removed.
    pub(super) async fn keep(&self) -> MutexGuard<'_, ()> {
        self.kept.lock().await
    }

    /// Copies it into a new file, while appends wait.
    pub(super) async fn copy_into(&self, path: &Path) -> Result<(), BackupError> {
        let mut file = self.file.lock().await;
        let file = file.as_mut().ok_or(BackupError::Closed)?;
        Ok(files::copy_into(&mut file.connection, path).await?)
    }

    /// Lets go of the file. Nothing can be done with the journal after this.
    pub async fn close(&self) {
        if let Some(file) = self.file.lock().await.take()
            && let Err(error) = file.connection.close().await
        {
            tracing::warn!(%error, "the journal's file did not close cleanly; the next start recovers it");
        }
    }

    /// After what must not happen to a file there is no more writing.
    fn failed(&self, error: &sqlx::Error) -> Failure {
        if severity(error) == Severity::Fatal {
            self.failed.get_or_init(|| {
                tracing::error!(%error, "the journal cannot be written: changes are refused until a restart");
                error.to_string()
            });
        }
        failure(error)
    }

    /// An entry that could not be written: where the fsync failed, it may be there after a restart all the same.
    fn not_appended(&self, error: &sqlx::Error) -> AppendError {
        let failure = self.failed(error);
        if self.failed.get().is_some() { AppendError::Unwritable(failure) } else { failure.into() }
    }
}

const CLOSED: &str = "it was closed";

fn closed() -> JournalError {
    Failure::not_applied(CLOSED).into()
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        let body = encode_entry(entry);
        let mut file = self.file.lock().await;
        let file = file.as_mut().ok_or_else(|| AppendError::Unwritable(Failure::not_applied(CLOSED)))?;
        if let Some(reason) = self.failed.get() {
            return Err(AppendError::Unwritable(Failure::not_applied(reason.as_str())));
        }
        if file.sealed.contains(&entry.incarnation) {
            return Err(Failure::fenced().into());
        }
        let lane = (entry.incarnation, entry.lane);
        let last = file.last.get(&lane).copied().unwrap_or(0);
        if entry.sequence > last + 1 {
            return Err(AppendError::Gap { expected: last + 1 });
        }
        let fresh = entry.sequence == last + 1
            && file.insert(EntryName::of(entry), &body).await.map_err(|error| self.not_appended(&error))?;
        if fresh {
            file.last.insert(lane, entry.sequence);
            return Ok(());
        }
        // It is there, or was: by an earlier attempt whose outcome nobody waited for, or by somebody else.
        let there =
            file.body(EntryName::of(entry)).await.map_err(|e| Failure::indeterminate(e.to_string()))?;
        if there.is_some() {
            file.last.insert(lane, last.max(entry.sequence));
        }
        match there {
            Some(there) if there == body => Ok(()),
            Some(_) => Err(AppendError::Conflict { sequence: entry.sequence }),
            None => Err(AppendError::Gap { expected: last + 1 }),
        }
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        let mut file = self.file.lock().await;
        let file = file.as_mut().ok_or_else(closed)?;
        let id = id_bytes(incarnation.0);
        sqlx::query!("INSERT INTO sealed (incarnation) VALUES (?) ON CONFLICT DO NOTHING", id)
            .execute(&mut file.connection)
            .await
            .map_err(|error| self.failed(&error))?;
        file.sealed.insert(incarnation);
        Ok(())
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let mut file = self.file.lock().await;
        let file = file.as_mut().ok_or_else(closed)?;
        file.read(incarnation, lane, after, limit).await
    }

    async fn trim(&self, incarnation: IncarnationId, lane: Lane, through: u64) -> Result<(), JournalError> {
        let _free = self.kept.lock().await;
        let mut file = self.file.lock().await;
        let file = file.as_mut().ok_or_else(closed)?;
        let last = file.last.get(&(incarnation, lane)).copied().unwrap_or(0);
        let through = through.min(last);
        if through == 0 {
            return Ok(());
        }
        Ok(file.trim(incarnation, lane, through).await.map_err(|error| self.failed(&error))?)
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        let file = self.file.lock().await;
        let file = file.as_ref().ok_or_else(closed)?;
        let mut found: BTreeMap<_, Vec<_>> = file.sealed.iter().map(|one| (*one, Vec::new())).collect();
        for (&(incarnation, lane), &last) in &file.last {
            found.entry(incarnation).or_default().push((lane, last));
        }
        Ok(found.into_iter().collect())
    }

    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        let _free = self.kept.lock().await;
        let mut file = self.file.lock().await;
        let file = file.as_mut().ok_or_else(closed)?;
        if !file.sealed.contains(&incarnation) {
            return Err(Failure::not_applied(format!("journal {incarnation} is not sealed")).into());
        }
        Ok(file.remove(incarnation).await.map_err(|error| self.failed(&error))?)
    }

    /// SQLite has one writer: with more lanes each append would only wait for the others', and carry less.
    fn lanes(&self) -> u16 {
        1
    }
}

impl File {
    async fn learn(&mut self) -> Result<(), sqlx::Error> {
        let lanes = sqlx::query!(
            r#"SELECT incarnation AS "incarnation!", lane AS "lane!: u16", MAX(sequence) AS "last!: i64"
               FROM (SELECT incarnation, lane, sequence FROM entry
                     UNION ALL SELECT incarnation, lane, through FROM trimmed)
               GROUP BY incarnation, lane"#
        )
        .fetch_all(&mut self.connection)
        .await?;
        for lane in lanes {
            let incarnation = incarnation_of(&lane.incarnation)?;
            self.last.insert((incarnation, Lane(lane.lane)), unsigned(lane.last));
        }
        let sealed =
            sqlx::query_scalar!("SELECT incarnation FROM sealed").fetch_all(&mut self.connection).await?;
        self.sealed = sealed.iter().map(|id| incarnation_of(id)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Whether the row is new.
    async fn insert(&mut self, name: EntryName, body: &[u8]) -> Result<bool, sqlx::Error> {
        let (incarnation, sequence) = (id_bytes(name.incarnation.0), signed(name.sequence));
        let mut retries = BUSY_RETRIES;
        loop {
            let inserted = sqlx::query!(
                "INSERT INTO entry (incarnation, lane, sequence, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                incarnation,
                name.lane.0,
                sequence,
                body
            )
            .execute(&mut self.connection)
            .await;
            match inserted {
                Ok(done) => return Ok(done.rows_affected() == 1),
                Err(error) if retries > 0 && severity(&error) == Severity::Busy => retries -= 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn body(&mut self, name: EntryName) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let (incarnation, sequence) = (id_bytes(name.incarnation.0), signed(name.sequence));
        sqlx::query_scalar!(
            "SELECT body FROM entry WHERE incarnation = ? AND lane = ? AND sequence = ?",
            incarnation,
            name.lane.0,
            sequence
        )
        .fetch_optional(&mut self.connection)
        .await
    }

    async fn trimmed(&mut self, incarnation: IncarnationId, lane: Lane) -> Result<u64, sqlx::Error> {
        let id = id_bytes(incarnation.0);
        let through =
            sqlx::query_scalar!("SELECT through FROM trimmed WHERE incarnation = ? AND lane = ?", id, lane.0)
                .fetch_optional(&mut self.connection)
                .await?;
        Ok(through.map_or(0, unsigned))
    }

    async fn read(
        &mut self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let trimmed = self.trimmed(incarnation, lane).await.map_err(|error| failure(&error))?;
        let mut sequence = after.max(trimmed);
        let (id, from) = (id_bytes(incarnation.0), signed(sequence));
        let limit = limit_of(limit);
        let rows = sqlx::query!(
            "SELECT sequence, body FROM entry WHERE incarnation = ? AND lane = ? AND sequence > ?
             ORDER BY sequence LIMIT ?",
            id,
            lane.0,
            from,
            limit
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(|error| failure(&error))?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            sequence += 1;
            let corrupt =
                |reason: String| JournalError::Corrupt { incarnation, lane: lane.0, sequence, reason };
            if unsigned(row.sequence) != sequence {
                return Err(corrupt(format!("it is missing; the next one is {}", row.sequence)));
            }
            let name = EntryName { incarnation, lane, sequence };
            entries.push(decode_entry(&row.body, name).map_err(|malformed| corrupt(malformed.to_string()))?);
        }
        Ok(entries)
    }

    async fn trim(
        &mut self,
        incarnation: IncarnationId,
        lane: Lane,
        through: u64,
    ) -> Result<(), sqlx::Error> {
        let (id, through) = (id_bytes(incarnation.0), signed(through));
        let mut transaction = self.connection.begin().await?;
        sqlx::query!(
            "INSERT INTO trimmed (incarnation, lane, through) VALUES (?, ?, ?)
             ON CONFLICT (incarnation, lane) DO UPDATE SET through = MAX(through, excluded.through)",
            id,
            lane.0,
            through
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "DELETE FROM entry WHERE incarnation = ? AND lane = ? AND sequence <= ?",
            id,
            lane.0,
            through
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    async fn remove(&mut self, incarnation: IncarnationId) -> Result<(), sqlx::Error> {
        let id = id_bytes(incarnation.0);
        let mut transaction = self.connection.begin().await?;
        sqlx::query!("DELETE FROM entry WHERE incarnation = ?", id).execute(&mut *transaction).await?;
        sqlx::query!("DELETE FROM trimmed WHERE incarnation = ?", id).execute(&mut *transaction).await?;
        sqlx::query!("DELETE FROM sealed WHERE incarnation = ?", id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        self.sealed.remove(&incarnation);
        self.last.retain(|(of, _), _| *of != incarnation);
        Ok(())
    }
}

fn incarnation_of(bytes: &[u8]) -> Result<IncarnationId, sqlx::Error> {
    id_of(bytes).map(IncarnationId).map_err(|error| sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use smartcart_domain::{
        cart::CartEvent,
        change::{Change, Subject},
        failure::Effect,
        id::CartId,
        time::{ShopTime, Timestamp},
    };

    use super::*;
    use crate::sqlite::{MissingChanges, open};

    fn entry(sequence: u64) -> Entry {
        let change = Change {
            subject: Subject::Cart(CartId(1), vec![CartEvent::Cleared]),
            version: 1,
            wall: Timestamp(0),
            shop: ShopTime(0),
            key: None,
        };
        let changes = vec![change; 100];
        Entry { incarnation: IncarnationId(1), lane: Lane(0), sequence, shop: ShopTime(0), changes }
    }

    #[tokio::test]
    async fn a_full_file_takes_entries_again_when_there_is_room_and_loses_nothing_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}/shop.db", directory.path().display());
        let shop = open(&address, MissingChanges::Refuse).await.unwrap();
        limit(&shop.journal, 64).await;
        let mut acknowledged = 0;
        let refused = loop {
            match shop.journal.append(&entry(acknowledged + 1)).await {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        let is_not_applied = |error: &AppendError| {
            matches!(error, AppendError::Failed(Failure { effect: Effect::NotApplied, .. }))
        };
        assert!(is_not_applied(&refused), "{refused:?}");
        assert!(acknowledged > 10, "{acknowledged}");
        let refused = shop.journal.append(&entry(acknowledged + 1)).await.unwrap_err();
        assert!(is_not_applied(&refused), "{refused:?}");
        assert_eq!(shop.journal.read(IncarnationId(1), Lane(0), 5, 1).await.unwrap(), [entry(6)]);

        limit(&shop.journal, 128).await;
        shop.journal.append(&entry(acknowledged + 1)).await.unwrap();
        shop.journal.close().await;
        shop.store.close().await;
        let shop = open(&address, MissingChanges::Refuse).await.unwrap();
        let kept = shop.journal.read(IncarnationId(1), Lane(0), 0, 1000).await.unwrap();
        assert_eq!(kept, (1..=acknowledged + 1).map(entry).collect::<Vec<_>>());
    }

    async fn limit(journal: &SqliteJournal, pages: u32) {
        let mut file = journal.file.lock().await;
        let connection = &mut file.as_mut().unwrap().connection;
        let limit = format!("PRAGMA max_page_count = {pages}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(connection).await.unwrap();
    }
}
