//! The journal as a table: an append is one fenced row, in one round trip.

use std::collections::BTreeMap;

use async_trait::async_trait;
use smartcart_engine::{
    commit::{Entry, Lane},
    id::IncarnationId,
    journal::{AppendError, Journal, JournalError},
    store::StoreError,
};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::{lease::on, open::LANES, registry::fence_key};
use crate::{
    columns::{id_bytes, id_of, limit_of, signed, unsigned},
    error::{PostgresRefusal, TableError, TableResult, postgres_refusal},
    record::{EntryName, decode_entry, encode_entry},
};

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
}

#[async_trait]
impl Journal for PostgresJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        let body = encode_entry(entry);
        let answer = on!(&self.pool, connection => append(connection, entry, &body));
        match answer {
            Ok(0) => Ok(()),
            Ok(-1) => Err(AppendError::Conflict { sequence: entry.sequence }),
            Ok(expected) => Err(AppendError::Gap { expected: unsigned(expected) }),
            Err(TableError::Sql(error)) if postgres_refusal(&error) == Some(PostgresRefusal::Fenced) => {
                Err(AppendError::Sealed)
            }
            // Also what the database has refused is not known to be nowhere: an earlier attempt at the same entry may be
            // on its way still. The entry itself, appended again, tells.
            Err(error) => Err(AppendError::Unknown(text(error))),
        }
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        on!(&self.pool, connection => seal(connection, incarnation)).map_err(unavailable)
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let (from, rows) = on!(&self.pool, connection => read(connection, incarnation, lane, after, limit))
            .map_err(unavailable)?;
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
        on!(&self.pool, connection => trim(connection, incarnation, lane, through)).map_err(unavailable)
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        on!(&self.pool, connection => incarnations(connection)).map_err(unavailable)
    }

    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        on!(&self.pool, connection => remove(connection, incarnation)).map_err(unavailable)
    }

    fn lanes(&self) -> u16 {
        LANES
    }
}

fn text(error: TableError) -> String {
    match error {
        TableError::Sql(error) => error.to_string(),
        TableError::Store(error) => error.to_string(),
    }
}

fn unavailable(error: TableError) -> JournalError {
    JournalError::Unavailable(text(error))
}

async fn append(connection: &mut PgConnection, entry: &Entry, body: &[u8]) -> TableResult<i64> {
    let answer = sqlx::query_scalar("SELECT journal_append($1, $2, $3, $4, $5)")
        .bind(id_bytes(entry.incarnation.0))
        .bind(fence_key(entry.incarnation))
        .bind(number(entry.lane))
        .bind(signed(entry.sequence))
        .bind(body)
        .fetch_one(connection)
        .await?;
    Ok(answer)
}

/// The lane as its column has it.
pub(super) fn number(lane: Lane) -> i16 {
    lane.0.cast_signed()
}

async fn seal(connection: &mut PgConnection, incarnation: IncarnationId) -> TableResult<()> {
    sqlx::query("SELECT declare_dead($1, $2)")
        .bind(id_bytes(incarnation.0))
        .bind(fence_key(incarnation))
        .execute(connection)
        .await?;
    Ok(())
}

async fn read(
    connection: &mut PgConnection,
    incarnation: IncarnationId,
    lane: Lane,
    after: u64,
    limit: usize,
) -> TableResult<(u64, Vec<(i64, Vec<u8>)>)> {
    let (id, lane) = (id_bytes(incarnation.0), number(lane));
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
    let (id, lane) = (id_bytes(incarnation.0), number(lane));
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
        lanes.push((Lane(lane.cast_unsigned()), unsigned(last)));
    }
    Ok(found.into_iter().collect())
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
        return Err(StoreError::Unavailable(format!("journal {incarnation} is not sealed")).into());
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
