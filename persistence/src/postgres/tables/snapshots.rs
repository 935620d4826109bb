//! What the tables of carts and of stock have in common: a row is a snapshot and columns for SQL; beside it lie the
//! changes since that snapshot, its tail. Each statement takes all rows of a flush, as an array for each column.

use std::sync::Arc;

use smartcart_domain::cart::Cart;
use smartcart_engine::store::{Conflict, Row, StoreError};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, postgres::PgArguments, query::Query};

use crate::{
    columns::{id_bytes, signed},
    error::TableResult,
    rows::{CartRow, StockRow},
};
use smartcart_wire::{encode_cart_snapshot, encode_changes, encode_stock_snapshot};

pub(super) type Bound = Query<'static, Postgres, PgArguments>;

/// What a flush brings of one entity, and where it goes.
pub(super) trait EntityRow: Sync + Sized {
    const TABLE: &'static str;
    /// The entity's key in its table, and in the table of its tail; its type.
    const KEYS: (&'static str, &'static str);
    const KEY_TYPE: &'static str;
    /// The indexed columns beside key and version, with their types.
    const COLUMNS: &'static [(&'static str, &'static str)];

    fn row(&self) -> &Row;
    fn bind_keys(query: Bound, rows: &[&Self]) -> Bound;
    fn bind_columns(query: Bound, rows: &[&Self]) -> Bound;
    /// Its version and its bytes, when the row has one.
    fn snapshot(&self) -> Option<(u64, Vec<u8>)>;
}

#[derive(Debug)]
pub(super) struct Statements {
    /// With the tails that they overtake.
    put_snapshots: Arc<str>,
    put_columns: Arc<str>,
    put_tails: Arc<str>,
    unknown: Arc<str>,
}

impl Statements {
    pub(super) fn of<R: EntityRow>() -> Self {
        let (table, (key, tail_key), key_type) = (R::TABLE, R::KEYS, R::KEY_TYPE);
        let names: Vec<_> = R::COLUMNS.iter().map(|(name, _)| *name).collect();
        let columns = names.join(", ");
        let set = |from: &str| {
            let columns = names.iter().map(|column| format!(", {column} = {from}.{column}"));
            format!("SET version = {from}.version{}", columns.collect::<String>())
        };
        let mut types = vec![key_type, "bigint"];
        types.extend(R::COLUMNS.iter().map(|(_, kind)| *kind));
        let arrays = |more: &[&str]| {
            let all = types.iter().chain(more).enumerate();
            all.map(|(place, kind)| format!("${}::{kind}[]", place + 1)).collect::<Vec<_>>().join(", ")
        };
        Self {
            put_snapshots: format!(
                "WITH put AS (
                     INSERT INTO {table} ({key}, version, {columns}, image_version, image)
                     SELECT * FROM unnest({})
                     ON CONFLICT ({key}) DO UPDATE {}, image_version = excluded.image_version, image = excluded.image
                     WHERE excluded.version > {table}.version RETURNING {key} AS of, image_version AS upto)
                 DELETE FROM {table}_tail USING put WHERE {tail_key} = put.of AND version <= put.upto",
                arrays(&["bigint", "bytea"]),
                set("excluded")
            )
            .into(),
            put_columns: format!(
                "UPDATE {table} {} FROM unnest({}) AS given ({key}, version, {columns}, first)
                 WHERE {table}.{key} = given.{key}
                 AND {table}.version < given.version AND {table}.version >= given.first - 1",
                set("given"),
                arrays(&["bigint"])
            )
            .into(),
            put_tails: format!(
                "INSERT INTO {table}_tail ({tail_key}, version, changes)
                 SELECT * FROM unnest($1::{key_type}[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING"
            )
            .into(),
            unknown: format!(
                "SELECT given.place - 1 FROM unnest($1::{key_type}[], $2::bigint[]) WITH ORDINALITY
                     AS given ({key}, version, place)
                 LEFT JOIN {table} ON {table}.{key} = given.{key}
                 WHERE coalesce({table}.version, 0) < given.version LIMIT 1"
            )
            .into(),
        }
    }
}

/// The text was put together above, from constants of this crate.
fn statement(text: &Arc<str>) -> Bound {
    sqlx::query(AssertSqlSafe(text.clone()))
}

fn versions<R: EntityRow>(rows: &[&R]) -> Vec<i64> {
    rows.iter().map(|row| signed(row.row().version)).collect()
}

pub(super) async fn flush<R: EntityRow>(
    connection: &mut PgConnection,
    statements: &Statements,
    rows: &[R],
) -> TableResult<()> {
    let (whole, changed): (Vec<&R>, Vec<&R>) = rows.iter().partition(|row| row.row().snapshot.is_some());
    if !whole.is_empty() {
        let (snapshot_versions, snapshots): (Vec<_>, Vec<_>) = whole
            .iter()
            .filter_map(|row| row.snapshot())
            .map(|(version, bytes)| (signed(version), bytes))
            .unzip();
        let query = R::bind_keys(statement(&statements.put_snapshots), &whole).bind(versions(&whole));
        R::bind_columns(query, &whole)
            .bind(snapshot_versions)
            .bind(snapshots)
            .execute(&mut *connection)
            .await?;
    }
    if !changed.is_empty() {
        let first =
            |row: &&R| signed(row.row().tail.first().map_or(row.row().version, |change| change.version));
        let query = R::bind_keys(statement(&statements.put_columns), &changed).bind(versions(&changed));
        let query = R::bind_columns(query, &changed).bind(changed.iter().map(first).collect::<Vec<_>>());
        let updated = query.execute(&mut *connection).await?.rows_affected();
        if updated < changed.len() as u64 {
            must_be_known(connection, statements, &changed).await?;
        }
    }
    let tails: Vec<&R> = whole.into_iter().chain(changed).filter(|row| !row.row().tail.is_empty()).collect();
    if !tails.is_empty() {
        let changes: Vec<_> = tails.iter().map(|row| encode_changes(&row.row().tail)).collect();
        let query = R::bind_keys(statement(&statements.put_tails), &tails);
        query.bind(versions(&tails)).bind(changes).execute(connection).await?;
    }
    Ok(())
}

/// Changes without a snapshot were not all taken: either the tables have them already, or what they follow is missing.
async fn must_be_known<R: EntityRow>(
    connection: &mut PgConnection,
    statements: &Statements,
    rows: &[&R],
) -> TableResult<()> {
    let query = R::bind_keys(statement(&statements.unknown), rows).bind(versions(rows));
    let Some(found) = query.fetch_optional(connection).await? else { return Ok(()) };
    let place: i64 = sqlx::Row::try_get(&found, 0)?;
    let what = usize::try_from(place).ok().and_then(|place| rows.get(place)).map_or_else(
        || "changes do not follow".to_owned(),
        |row| format!("{}: changes to version {} do not follow", row.row().entity, row.row().version),
    );
    Err(StoreError::Conflict(Conflict::Invariant(what)).into())
}

fn column<'a, R, T>(rows: &[&'a R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

impl EntityRow for CartRow<'_> {
    const TABLE: &'static str = "cart";
    const KEYS: (&'static str, &'static str) = ("id", "cart");
    const KEY_TYPE: &'static str = "bytea";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("owner", "bytea"),
        ("checking_out", "boolean"),
        ("last_order", "bytea"),
        ("currency", "text"),
        ("quantity", "bigint"),
        ("subtotal", "bigint"),
        ("updated_at", "bigint"),
        ("expires_at", "bigint"),
    ];

    fn row(&self) -> &Row {
        self.row
    }

    fn bind_keys(query: Bound, rows: &[&Self]) -> Bound {
        query.bind(column(rows, |row| id_bytes(row.id.0)))
    }

    fn bind_columns(query: Bound, rows: &[&Self]) -> Bound {
        let carts: Vec<&Cart> = column(rows, |row| row.cart);
        query
            .bind(column(&carts, |cart| cart.owner.map(|user| id_bytes(user.0))))
            .bind(column(&carts, |cart| cart.checkout.is_some()))
            .bind(column(&carts, |cart| cart.last_order.as_deref().map(|last| id_bytes(last.id.0))))
            .bind(column(&carts, |cart| cart.currency.to_string()))
            .bind(column(&carts, |cart| signed(cart.quantity())))
            .bind(column(&carts, Cart::subtotal))
            .bind(column(&carts, |cart| cart.updated_at.0))
            .bind(column(&carts, |cart| cart.expires_at.0))
    }

    fn snapshot(&self) -> Option<(u64, Vec<u8>)> {
        self.snapshot.map(|snapshot| (snapshot.cart.version, encode_cart_snapshot(snapshot)))
    }
}

impl EntityRow for StockRow<'_> {
    const TABLE: &'static str = "stock";
    const KEYS: (&'static str, &'static str) = ("sku", "sku");
    const KEY_TYPE: &'static str = "text";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("on_hand", "bigint"),
        ("held", "bigint"),
        ("sold", "bigint"),
        ("stocked", "bigint"),
        ("next_deadline", "bigint"),
        ("has_holds", "boolean"),
    ];

    fn row(&self) -> &Row {
        self.row
    }

    fn bind_keys(query: Bound, rows: &[&Self]) -> Bound {
        query.bind(column(rows, |row| row.sku.to_string()))
    }

    fn bind_columns(query: Bound, rows: &[&Self]) -> Bound {
        query
            .bind(column(rows, |row| row.level.on_hand))
            .bind(column(rows, |row| row.level.held))
            .bind(column(rows, |row| row.level.sold))
            .bind(column(rows, |row| row.level.stocked))
            .bind(column(rows, |row| row.next_deadline.map(|deadline| deadline.0)))
            .bind(column(rows, |row| row.next_deadline.is_some()))
    }

    fn snapshot(&self) -> Option<(u64, Vec<u8>)> {
        self.snapshot.map(|snapshot| (snapshot.stock.level.version, encode_stock_snapshot(snapshot)))
    }
}
