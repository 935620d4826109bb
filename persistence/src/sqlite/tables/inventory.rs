use smartcart_engine::{
    commit::{Change, StockImage},
    id::Sku,
    inventory::StockLevel,
    store::{StoreError, Stored},
    time::ShopTime,
};
use sqlx::SqliteConnection;

use super::{
    TableResult,
    entities::{after, invariant},
};
use crate::{
    error::corrupt,
    record::{decode_changes, decode_stock_image, encode_changes, encode_stock_image},
    sqlite::{
        bulk::{Bound, Bulk},
        columns::{signed, unsigned},
    },
};

/// What a flush brings of one SKU.
pub(super) struct StockRow<'a> {
    pub(super) sku: &'a Sku,
    pub(super) version: u64,
    pub(super) level: &'a StockLevel,
    pub(super) next_deadline: Option<ShopTime>,
    pub(super) image: Option<&'a StockImage>,
    pub(super) tail: &'a [Change],
}

#[derive(Debug)]
pub(super) struct Statements {
    put_image: Bulk,
    put_header: Bulk,
    put_tail: Bulk,
    /// Tails that an image has overtaken.
    drop_tails: Bulk,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            put_image: Bulk::new(
                "INSERT INTO stock (sku, version, on_hand, held, sold, stocked, next_deadline, image_version, image)
                 VALUES",
                9,
                "ON CONFLICT (sku) DO UPDATE SET version = excluded.version, on_hand = excluded.on_hand,
                 held = excluded.held, sold = excluded.sold, stocked = excluded.stocked,
                 next_deadline = excluded.next_deadline, image_version = excluded.image_version,
                 image = excluded.image
                 WHERE excluded.version > stock.version",
            ),
            put_header: Bulk::new(
                "WITH given (sku, version, on_hand, held, sold, stocked, next_deadline, first) AS (VALUES",
                8,
                ") UPDATE stock SET version = given.version, on_hand = given.on_hand, held = given.held,
                 sold = given.sold, stocked = given.stocked, next_deadline = given.next_deadline
                 FROM given
                 WHERE stock.sku = given.sku AND stock.version < given.version
                 AND stock.version >= given.first - 1",
            ),
            put_tail: Bulk::new(
                "INSERT INTO stock_tail (sku, version, changes) VALUES",
                3,
                "ON CONFLICT DO NOTHING",
            ),
            drop_tails: Bulk::new(
                "DELETE FROM stock_tail WHERE sku IN (VALUES",
                1,
                ") AND version <= (SELECT image_version FROM stock WHERE stock.sku = stock_tail.sku)",
            ),
        }
    }
}

pub(super) async fn flush(
    connection: &mut SqliteConnection,
    statements: &Statements,
    rows: Vec<StockRow<'_>>,
) -> TableResult<()> {
    let (whole, changed): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.image.is_some());
    statements
        .put_image
        .execute(connection, &whole, |query, row| {
            let version = row.image.map_or(0, |image| image.stock.level.version);
            let image = row.image.map(encode_stock_image).unwrap_or_default();
            bind_header(query, row).bind(signed(version)).bind(image)
        })
        .await?;
    statements.drop_tails.execute(connection, &whole, |query, row| query.bind(row.sku.to_string())).await?;
    let updated = statements
        .put_header
        .execute(connection, &changed, |query, row| {
            let first = row.tail.first().map_or(row.version, |change| change.version);
            bind_header(query, row).bind(signed(first))
        })
        .await?;
    if updated < changed.len() as u64 {
        must_be_known(connection, &changed).await?;
    }
    let tails: Vec<_> = whole.iter().chain(&changed).filter(|row| !row.tail.is_empty()).collect();
    statements
        .put_tail
        .execute(connection, &tails, |query, row| {
            query.bind(row.sku.to_string()).bind(signed(row.version)).bind(encode_changes(row.tail))
        })
        .await?;
    Ok(())
}

fn bind_header(query: Bound, row: &StockRow<'_>) -> Bound {
    let level = row.level;
    query
        .bind(row.sku.to_string())
        .bind(signed(row.version))
        .bind(level.on_hand)
        .bind(level.held)
        .bind(level.sold)
        .bind(level.stocked)
        .bind(row.next_deadline.map(|deadline| deadline.0))
}

/// Changes without an image were not all taken: either the tables have them already, or what they follow is missing.
async fn must_be_known(connection: &mut SqliteConnection, rows: &[StockRow<'_>]) -> TableResult<()> {
    for row in rows {
        let sku = row.sku.as_str();
        let version = sqlx::query_scalar!("SELECT version FROM stock WHERE sku = ?", sku)
            .fetch_optional(&mut *connection)
            .await?
            .map_or(0, unsigned);
        if version < row.version {
            let StockRow { sku, version: next, .. } = row;
            let what = format!("stock {sku}: changes to version {next} do not follow version {version}");
            return Err(invariant(what).into());
        }
    }
    Ok(())
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    sku: &Sku,
) -> TableResult<Option<Stored<StockImage>>> {
    let subject = format_args!("stock {sku}").to_string();
    let key = sku.as_str();
    // One statement, so that image and tail are of one moment.
    let parts = sqlx::query!(
        r#"SELECT 0 AS "place!: i64", version AS "version!: i64", image AS "bytes!: Vec<u8>"
           FROM stock WHERE sku = ?1
           UNION ALL
           SELECT version, version, changes FROM stock_tail
           WHERE sku = ?1 AND version > (SELECT image_version FROM stock WHERE sku = ?1)
           ORDER BY 1"#,
        key
    )
    .fetch_all(connection)
    .await?;
    let Some((head, tail)) = parts.split_first() else { return Ok(None) };
    let image = decode_stock_image(&head.bytes).map_err(corrupt(&subject))?;
    let mut changes = Vec::new();
    for part in tail {
        changes.extend(decode_changes(&part.bytes).map_err(corrupt(&subject))?);
    }
    let tail = after(image.stock.level.version, unsigned(head.version), changes, &subject)?;
    Ok(Some(Stored { image, tail }))
}

pub(super) async fn with_holds(connection: &mut SqliteConnection) -> TableResult<Vec<Sku>> {
    let column = sqlx::query_scalar!("SELECT sku FROM stock WHERE next_deadline IS NOT NULL ORDER BY sku")
        .fetch_all(connection)
        .await?;
    let sku = |text: String| text.parse().map_err(|_| StoreError::Corrupt(format!("'{text}' is not a SKU")));
    Ok(column.into_iter().map(sku).collect::<Result<_, _>>()?)
}
