//! What the tables of carts and of stock have in common: a row is a header for SQL and an image; beside it lie the
//! changes since that image, its tail.

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
    /// The header's columns beside key and version.
    const HEADER: &'static [&'static str];

    fn row(&self) -> &Row;
    fn bind_key(&self, query: Bound) -> Bound;
    fn bind_header(&self, query: Bound) -> Bound;
    /// Its version and its bytes, when the row has one.
    fn snapshot(&self) -> Option<(u64, Vec<u8>)>;
}

#[derive(Debug)]
pub(super) struct Statements {
    put_image: Bulk,
    put_header: Bulk,
    put_tail: Bulk,
    /// Tails that an image has overtaken.
    drop_tails: Bulk,
    version: Arc<str>,
}

impl Statements {
    pub(super) fn of<R: EntityRow>() -> Self {
        let (table, (key, tail_key), header) = (R::TABLE, R::KEYS, R::HEADER.join(", "));
        let set = |from: &str| {
            let columns = R::HEADER.iter().map(|column| format!(", {column} = {from}.{column}"));
            format!("SET version = {from}.version{}", columns.collect::<String>())
        };
        let columns = R::HEADER.len();
        Self {
            put_image: Bulk::new(
                &format!("INSERT INTO {table} ({key}, version, {header}, image_version, image) VALUES"),
                columns + 4,
                &format!(
                    "ON CONFLICT ({key}) DO UPDATE {}, image_version = excluded.image_version,
                     image = excluded.image WHERE excluded.version > {table}.version",
                    set("excluded")
                ),
            ),
            put_header: Bulk::new(
                &format!("WITH given ({key}, version, {header}, first) AS (VALUES"),
                columns + 3,
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
    statements.put_image.execute(connection, &whole, bind_image).await?;
    statements.drop_tails.execute(connection, &whole, |query, row| row.bind_key(query)).await?;
    let updated = statements.put_header.execute(connection, &changed, bind_header).await?;
    if updated < changed.len() as u64 {
        must_be_known(connection, statements, &changed).await?;
    }
    let tails: Vec<_> = whole.iter().chain(&changed).filter(|row| !row.row().tail.is_empty()).collect();
    statements.put_tail.execute(connection, &tails, |query, row| bind_tail(query, *row)).await?;
    Ok(())
}

fn bind_image<R: EntityRow>(query: Bound, row: &R) -> Bound {
    let (version, bytes) = row.snapshot().unzip();
    row.bind_header(row.bind_key(query).bind(signed(row.row().version))).bind(version.map(signed)).bind(bytes)
}

fn bind_header<R: EntityRow>(query: Bound, row: &R) -> Bound {
    let Row { version, tail, .. } = row.row();
    let first = tail.first().map_or(*version, |change| change.version);
    row.bind_header(row.bind_key(query).bind(signed(*version))).bind(signed(first))
}

fn bind_tail<R: EntityRow>(query: Bound, row: &R) -> Bound {
    let Row { version, tail, .. } = row.row();
    row.bind_key(query).bind(signed(*version)).bind(encode_changes(tail))
}

/// Changes without an image were not all taken: either the tables have them already, or what they follow is missing.
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
