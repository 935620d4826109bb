//! The journal as a table: an append is one fenced row, in one round trip.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use smartcart_domain::{
    entry::{Entry, Lane},
    failure::Failure,
    id::IncarnationId,
};
use smartcart_engine::{
    journal::{AppendError, Journal, JournalError},
    store::StoreError,
};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::{
    fence::{fence, fence_key},
    pooled_connection::with_connection,
};
use crate::{
    columns::{id_bytes, id_of, lane_column, lane_of, limit_of, signed, unsigned},
    error::{TableError, TableResult},
};
use smartcart_wire::{EntryName, decode_entry, encode_entry};

/// Appends that overlap. Each is one round trip and one fsync, which PostgreSQL shares among them.
const LANES: u16 = 4;

#[derive(Debug)]
pub struct PostgresJournal {
    pool: PgPool,
}

impl PostgresJournal {
    pub(super) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) async fn append_record(&self, name: EntryName, body: &[u8]) -> Result<(), AppendError> {
        let answer = with_connection!(&self.pool, connection => append(connection, name, body));
        match answer.map_err(Failure::from) {
            Ok(answer) => accepted(name, answer),
            Err(failure) if failure.is_fenced() => Err(failure.into()),
            // Also what the database has refused is not known to be nowhere: an earlier attempt at the same entry may be
            // on its way still. The entry itself, appended again, tells.
            Err(failure) => Err(Failure::indeterminate(failure.reason).into()),
        }
    }

    /// Nothing of the incarnation is written from now on.
    pub(crate) async fn fence(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        with_connection!(&self.pool, connection => seal(connection, incarnation)).map_err(failed)
    }

    /// Where a member's entries are; `None`: always here.
    pub(crate) async fn location_of(
        &self,
        incarnation: IncarnationId,
    ) -> Result<Option<JournalLocation>, JournalError> {
        with_connection!(&self.pool, connection => location_of(connection, incarnation)).map_err(failed)
    }

    /// Writes into this pod's own row where its entries are from now on.
    pub(crate) async fn record_location(
        &self,
        me: IncarnationId,
        location: JournalLocation,
    ) -> Result<(), Failure> {
        Ok(with_connection!(&self.pool, connection => record_location(connection, me, location))?)
    }

    /// A dead member's entries are all in the tables: its row names no other place any more.
    pub(crate) async fn finished(&self, dead: IncarnationId) -> Result<(), JournalError> {
        with_connection!(&self.pool, connection => finished(connection, dead)).map_err(failed)
    }

    pub(crate) async fn is_member(&self, incarnation: IncarnationId) -> Result<bool, JournalError> {
        with_connection!(&self.pool, connection => is_member(connection, incarnation)).map_err(failed)
    }

    /// Copies entries from elsewhere into this journal: those after `base`, in order. Those that are here already stay.
    pub(crate) async fn import(
        &self,
        me: IncarnationId,
        lane: Lane,
        base: u64,
        entries: &[(u64, Arc<[u8]>)],
    ) -> Result<(), Failure> {
        with_connection!(&self.pool, connection => begin_after(connection, me, lane, base))?;
        for some in entries.chunks(IMPORT_CHUNK) {
            with_connection!(&self.pool, connection => import_chunk(connection, me, lane, some))?;
        }
        Ok(())
    }
}

/// Entries of one transaction.
const IMPORT_CHUNK: usize = 128;

/// Where the entries of a member are that the tables have not got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalLocation {
    /// In Redis, and some perhaps here.
    Redis,
    /// Here.
    Postgres,
}

impl JournalLocation {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }
}

fn accepted(name: EntryName, answer: i64) -> Result<(), AppendError> {
    match answer {
        0 => Ok(()),
        -1 => Err(AppendError::Conflict { sequence: name.sequence }),
        expected => Err(AppendError::Gap { expected: unsigned(expected) }),
    }
}

#[async_trait]
impl Journal for PostgresJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        self.append_record(EntryName::of(entry), &encode_entry(entry)).await
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.fence(incarnation).await?;
        match self.location_of(incarnation).await? {
            Some(JournalLocation::Redis) => Err(Failure::not_applied(format!(
                "journal {incarnation} is in Redis: a pod that has its address (SMARTCART_JOURNAL_URL) must finish it"
            ))
            .into()),
            Some(JournalLocation::Postgres) | None => Ok(()),
        }
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let (from, rows) =
            with_connection!(&self.pool, connection => read(connection, incarnation, lane, after, limit))
                .map_err(failed)?;
        let mut entries = Vec::with_capacity(rows.len());
        for (sequence, (found, body)) in (from + 1..).zip(rows) {
            let corrupt =
                |reason: String| JournalError::Corrupt { incarnation, lane: lane.0, sequence, reason };
            if unsigned(found) != sequence {
                return Err(corrupt(format!("it is missing; the next one is {found}")));
            }
            let name = EntryName { incarnation, lane, sequence };
            entries.push(decode_entry(&body, name).map_err(|malformed| corrupt(malformed.to_string()))?);
        }
        Ok(entries)
    }

    async fn trim(&self, incarnation: IncarnationId, lane: Lane, through: u64) -> Result<(), JournalError> {
        with_connection!(&self.pool, connection => trim(connection, incarnation, lane, through))
            .map_err(failed)
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        with_connection!(&self.pool, connection => incarnations(connection)).map_err(failed)
    }

    async fn last(&self, incarnation: IncarnationId) -> Result<Vec<(Lane, u64)>, JournalError> {
        with_connection!(&self.pool, connection => last(connection, incarnation)).map_err(failed)
    }

    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        with_connection!(&self.pool, connection => remove(connection, incarnation)).map_err(failed)
    }

    fn lanes(&self) -> u16 {
        LANES
    }
}

fn failed(error: TableError) -> JournalError {
    Failure::from(error).into()
}

async fn append(connection: &mut PgConnection, name: EntryName, body: &[u8]) -> TableResult<i64> {
    let answer = sqlx::query_scalar("SELECT journal_append($1, $2, $3, $4, $5)")
        .bind(id_bytes(name.incarnation.0))
        .bind(fence_key(name.incarnation))
        .bind(lane_column(name.lane))
        .bind(signed(name.sequence))
        .bind(body)
        .fetch_one(connection)
        .await?;
    Ok(answer)
}

async fn seal(connection: &mut PgConnection, incarnation: IncarnationId) -> TableResult<()> {
    sqlx::query("SELECT declare_dead($1, $2)")
        .bind(id_bytes(incarnation.0))
        .bind(fence_key(incarnation))
        .execute(connection)
        .await?;
    Ok(())
}

async fn location_of(
    connection: &mut PgConnection,
    incarnation: IncarnationId,
) -> TableResult<Option<JournalLocation>> {
    let location: Option<Option<String>> =
        sqlx::query_scalar("SELECT journal FROM member WHERE incarnation = $1")
            .bind(id_bytes(incarnation.0))
            .fetch_optional(connection)
            .await?;
    match location.flatten().as_deref() {
        None => Ok(None),
        Some("redis") => Ok(Some(JournalLocation::Redis)),
        Some("postgres") => Ok(Some(JournalLocation::Postgres)),
        Some(other) => Err(StoreError::Corrupt(format!("a member's journal is {other:?}")).into()),
    }
}

async fn record_location(
    connection: &mut PgConnection,
    me: IncarnationId,
    location: JournalLocation,
) -> TableResult<()> {
    let mut transaction = connection.begin().await?;
    fence(&mut transaction, me).await?;
    sqlx::query("UPDATE member SET journal = $2 WHERE incarnation = $1")
        .bind(id_bytes(me.0))
        .bind(location.as_str())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

async fn finished(connection: &mut PgConnection, dead: IncarnationId) -> TableResult<()> {
    sqlx::query("UPDATE member SET journal = NULL WHERE incarnation = $1 AND state = 'dead'")
        .bind(id_bytes(dead.0))
        .execute(connection)
        .await?;
    Ok(())
}

async fn is_member(connection: &mut PgConnection, incarnation: IncarnationId) -> TableResult<bool> {
    let there = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM member WHERE incarnation = $1)")
        .bind(id_bytes(incarnation.0))
        .fetch_one(connection)
        .await?;
    Ok(there)
}

async fn begin_after(
    connection: &mut PgConnection,
    me: IncarnationId,
    lane: Lane,
    base: u64,
) -> TableResult<()> {
    sqlx::query("SELECT journal_begin_after($1, $2, $3, $4)")
        .bind(id_bytes(me.0))
        .bind(fence_key(me))
        .bind(lane_column(lane))
        .bind(signed(base))
        .execute(connection)
        .await?;
    Ok(())
}

async fn import_chunk(
    connection: &mut PgConnection,
    me: IncarnationId,
    lane: Lane,
    entries: &[(u64, Arc<[u8]>)],
) -> TableResult<()> {
    let mut transaction = connection.begin().await?;
    for (sequence, body) in entries {
        let name = EntryName { incarnation: me, lane, sequence: *sequence };
        let answer = append(&mut transaction, name, body).await?;
        if let Err(error) = accepted(name, answer) {
            return Err(StoreError::Corrupt(error.to_string()).into());
        }
    }
    transaction.commit().await?;
    Ok(())
}

async fn read(
    connection: &mut PgConnection,
    incarnation: IncarnationId,
    lane: Lane,
    after: u64,
    limit: usize,
) -> TableResult<(u64, Vec<(i64, Vec<u8>)>)> {
    let (id, lane) = (id_bytes(incarnation.0), lane_column(lane));
    let trimmed: Option<i64> =
        sqlx::query_scalar("SELECT through FROM trimmed WHERE incarnation = $1 AND lane = $2")
            .bind(&id)
            .bind(lane)
            .fetch_optional(&mut *connection)
            .await?;
    let from = after.max(trimmed.map_or(0, unsigned));
    let rows = sqlx::query_as(
        "SELECT sequence, body FROM entry WHERE incarnation = $1 AND lane = $2 AND sequence > $3
         ORDER BY sequence LIMIT $4",
    )
    .bind(&id)
    .bind(lane)
    .bind(signed(from))
    .bind(limit_of(limit))
    .fetch_all(connection)
    .await?;
    Ok((from, rows))
}

async fn trim(
    connection: &mut PgConnection,
    incarnation: IncarnationId,
    lane: Lane,
    through: u64,
) -> TableResult<()> {
    let (id, lane) = (id_bytes(incarnation.0), lane_column(lane));
    sqlx::query(
        "WITH upto AS (
             INSERT INTO trimmed (incarnation, lane, through)
             SELECT $1, $2, max(sequence) FROM entry
             WHERE incarnation = $1 AND lane = $2 AND sequence <= $3 HAVING max(sequence) IS NOT NULL
             ON CONFLICT (incarnation, lane) DO UPDATE SET through = greatest(trimmed.through, excluded.through)
             RETURNING through)
         DELETE FROM entry USING upto WHERE incarnation = $1 AND lane = $2 AND sequence <= upto.through",
    )
    .bind(&id)
    .bind(lane)
    .bind(signed(through))
    .execute(connection)
    .await?;
    Ok(())
}

async fn incarnations(connection: &mut PgConnection) -> TableResult<Vec<(IncarnationId, Vec<(Lane, u64)>)>> {
    let rows: Vec<(Vec<u8>, i16, i64)> = sqlx::query_as(
        "SELECT incarnation, lane, max(last) FROM (
             SELECT incarnation, lane, max(sequence) AS last FROM entry GROUP BY incarnation, lane
             UNION ALL SELECT incarnation, lane, through FROM trimmed) AS known
         GROUP BY incarnation, lane ORDER BY incarnation, lane",
    )
    .fetch_all(connection)
    .await?;
    let mut found: BTreeMap<IncarnationId, Vec<(Lane, u64)>> = BTreeMap::new();
    for (id, lane, last) in rows {
        let lanes = found.entry(IncarnationId(id_of(&id)?)).or_default();
        lanes.push((lane_of(lane), unsigned(last)));
    }
    Ok(found.into_iter().collect())
}

async fn last(connection: &mut PgConnection, incarnation: IncarnationId) -> TableResult<Vec<(Lane, u64)>> {
    let rows: Vec<(i16, i64)> = sqlx::query_as(
        "SELECT lane, max(last) FROM (
             SELECT lane, max(sequence) AS last FROM entry WHERE incarnation = $1 GROUP BY lane
             UNION ALL SELECT lane, through FROM trimmed WHERE incarnation = $1) AS known
         GROUP BY lane ORDER BY lane",
    )
    .bind(id_bytes(incarnation.0))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(lane, last)| (lane_of(lane), unsigned(last))).collect())
}

async fn remove(connection: &mut PgConnection, incarnation: IncarnationId) -> TableResult<()> {
    let id = id_bytes(incarnation.0);
    let mut transaction = connection.begin().await?;
    let may_write: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM member WHERE incarnation = $1 AND state <> 'dead')")
            .bind(&id)
            .fetch_one(&mut *transaction)
            .await?;
    if may_write {
        return Err(
            StoreError::from(Failure::not_applied(format!("journal {incarnation} is not sealed"))).into()
        );
    }
    forget(&mut transaction, &id).await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn forget(connection: &mut PgConnection, incarnation: &[u8]) -> TableResult<()> {
    for statement in
        ["DELETE FROM entry WHERE incarnation = $1", "DELETE FROM trimmed WHERE incarnation = $1"]
    {
        sqlx::query(statement).bind(incarnation).execute(&mut *connection).await?;
    }
    Ok(())
}
