//! What the tables of carts and of stock have in common: a row is a snapshot and columns for SQL; beside it lie the
//! changes since that snapshot, its tail.

use std::sync::Arc;

use smartcart_engine::store::{Conflict, Row, StoreError};
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::error::TableResult;
use crate::{
    columns::{signed, unsigned},
    sqlite::bulk::{Bound, Bulk},
};
use smartcart_wire::encode_changes;

/// What a flush brings of one entity, and where it goes.
pub(super) trait EntityRow: Sync {
    const TABLE: &'static str;
    /// The entity's key in its table, and in the table of its tail.
    const KEYS: (&'static str, &'static str);
    /// The indexed columns beside key and version.
    const COLUMNS: &'static [&'static str];

    fn row(&self) -> &Row;
    fn bind_key(&self, query: Bound) -> Bound;
    fn bind_columns(&self, query: Bound) -> Bound;
    /// Its version and its bytes, when the row has one.
    fn snapshot(&self) -> Option<(u64, Vec<u8>)>;
}

#[derive(Debug)]
pub(super) struct Statements {
    put_snapshot: Bulk,
    put_columns: Bulk,
    put_tail: Bulk,
    /// Tails that a snapshot has overtaken.
    drop_tails: Bulk,
    version: Arc<str>,
}

impl Statements {
    pub(super) fn of<R: EntityRow>() -> Self {
        let (table, (key, tail_key), columns) = (R::TABLE, R::KEYS, R::COLUMNS.join(", "));
        let set = |from: &str| {
            let all = R::COLUMNS.iter().map(|column| format!(", {column} = {from}.{column}"));
            format!("SET version = {from}.version{}", all.collect::<String>())
        };
        let count = R::COLUMNS.len();
        Self {
            put_snapshot: Bulk::new(
                &format!("INSERT INTO {table} ({key}, version, {columns}, image_version, image) VALUES"),
                count + 4,
                &format!(
                    "ON CONFLICT ({key}) DO UPDATE {}, image_version = excluded.image_version,
                     image = excluded.image WHERE excluded.version > {table}.version",
                    set("excluded")
                ),
            ),
            put_columns: Bulk::new(
                &format!("WITH given ({key}, version, {columns}, first) AS (VALUES"),
                count + 3,
                &format!(
                    ") UPDATE {table} {} FROM given WHERE {table}.{key} = given.{key}
                     AND {table}.version < given.version AND {table}.version >= given.first - 1",
                    set("given")
                ),
            ),
            put_tail: Bulk::new(
                &format!("INSERT INTO {table}_tail ({tail_key}, version, changes) VALUES"),
                3,
                "ON CONFLICT DO NOTHING",
            ),
            drop_tails: Bulk::new(
                &format!("DELETE FROM {table}_tail WHERE {tail_key} IN (VALUES"),
                1,
                &format!(
                    ") AND version <= (SELECT image_version FROM {table}
                     WHERE {table}.{key} = {table}_tail.{tail_key})"
                ),
            ),
            version: format!("SELECT version FROM {table} WHERE {key} = ?").into(),
        }
    }
}

pub(super) async fn flush<R: EntityRow>(
    connection: &mut SqliteConnection,
    statements: &Statements,
    rows: Vec<R>,
) -> TableResult<()> {
    let (whole, changed): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.row().snapshot.is_some());
    statements.put_snapshot.execute(connection, &whole, bind_snapshot).await?;
    statements.drop_tails.execute(connection, &whole, |query, row| row.bind_key(query)).await?;
    let updated = statements.put_columns.execute(connection, &changed, bind_columns).await?;
    if updated < changed.len() as u64 {
        must_be_known(connection, statements, &changed).await?;
    }
    let tails: Vec<_> = whole.iter().chain(&changed).filter(|row| !row.row().tail.is_empty()).collect();
    statements.put_tail.execute(connection, &tails, |query, row| bind_tail(query, *row)).await?;
    Ok(())
}

fn bind_snapshot<R: EntityRow>(query: Bound, row: &R) -> Bound {
    let (version, bytes) = row.snapshot().unzip();
    row.bind_columns(row.bind_key(query).bind(signed(row.row().version)))
        .bind(version.map(signed))
        .bind(bytes)
}

fn bind_columns<R: EntityRow>(query: Bound, row: &R) -> Bound {
    let Row { version, tail, .. } = row.row();
    let first = tail.first().map_or(*version, |change| change.version);
    row.bind_columns(row.bind_key(query).bind(signed(*version))).bind(signed(first))
}

fn bind_tail<R: EntityRow>(query: Bound, row: &R) -> Bound {
    let Row { version, tail, .. } = row.row();
    row.bind_key(query).bind(signed(*version)).bind(encode_changes(tail))
}

/// Changes without a snapshot were not all taken: either the tables have them already, or what they follow is missing.
async fn must_be_known<R: EntityRow>(
    connection: &mut SqliteConnection,
    statements: &Statements,
    rows: &[R],
) -> TableResult<()> {
    for row in rows {
        let query = row.bind_key(sqlx::query(AssertSqlSafe(statements.version.clone())));
        let found = query.fetch_optional(&mut *connection).await?;
        let version = match found {
            Some(found) => unsigned(sqlx::Row::try_get(&found, 0)?),
            None => 0,
        };
        let Row { entity, version: next, .. } = row.row();
        if version < *next {
            let what = format!("{entity}: changes to version {next} do not follow version {version}");
            return Err(StoreError::Conflict(Conflict::Invariant(what)).into());
        }
    }
    Ok(())
}
