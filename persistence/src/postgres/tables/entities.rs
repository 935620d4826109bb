//! Carts and stock: one fenced transaction for what the write-behind brings, and reading it back.

use smartcart_domain::{
    entry::Watermark,
    id::{CartId, IdSecret, IncarnationId, Sku, random_bytes},
    snapshot::{CartSnapshot, StockSnapshot},
    time::ShopTime,
};
use smartcart_engine::store::{StoreError, Stored, TableBatch};
use sqlx::{Connection as _, PgConnection};

use super::{orders, snapshots};
use crate::{
    columns::{id_bytes, ids_of, lane_column, lane_of, signed, skus_of, unsigned},
    error::TableResult,
    postgres::fence::fence,
    rows::{CartRow, Part, RowsByKind, StockRow, assemble},
};
use smartcart_wire::{decode_cart_snapshot, decode_stock_snapshot};

#[derive(Debug)]
pub(super) struct Statements {
    carts: snapshots::Statements,
    stock: snapshots::Statements,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            carts: snapshots::Statements::of::<CartRow<'_>>(),
            stock: snapshots::Statements::of::<StockRow<'_>>(),
        }
    }
}

pub(super) async fn flush(
    connection: &mut PgConnection,
    statements: &Statements,
    writer: IncarnationId,
    batch: &TableBatch,
) -> TableResult<()> {
    let RowsByKind { carts, stock } = RowsByKind::of(&batch.rows)?;
    let mut transaction = connection.begin().await?;
    fence(&mut transaction, writer).await?;
    snapshots::flush(&mut transaction, &statements.carts, &carts).await?;
    snapshots::flush(&mut transaction, &statements.stock, &stock).await?;
    orders::insert(&mut transaction, &batch.orders).await?;
    raise(&mut transaction, &batch.watermarks).await?;
    if !batch.watermarks.is_empty() || (carts.is_empty() && stock.is_empty()) {
        persist_shop_time(&mut transaction, writer, batch.shop).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// With each round of the write-behind. Each member's own row: one row for all would be waited for by all.
async fn persist_shop_time(
    connection: &mut PgConnection,
    writer: IncarnationId,
    shop: ShopTime,
) -> TableResult<()> {
    sqlx::query("UPDATE member SET shop_time = $2 WHERE incarnation = $1 AND shop_time < $2")
        .bind(id_bytes(writer.0))
        .bind(shop.0)
        .execute(connection)
        .await?;
    Ok(())
}

async fn raise(connection: &mut PgConnection, watermarks: &[Watermark]) -> TableResult<()> {
    if watermarks.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO watermark (incarnation, lane, sequence)
         SELECT incarnation, lane, max(sequence) FROM unnest($1::bytea[], $2::smallint[], $3::bigint[])
             AS given (incarnation, lane, sequence) GROUP BY incarnation, lane
         ON CONFLICT (incarnation, lane) DO UPDATE SET sequence = excluded.sequence
         WHERE watermark.sequence < excluded.sequence",
    )
    .bind(watermarks.iter().map(|watermark| id_bytes(watermark.incarnation.0)).collect::<Vec<_>>())
    .bind(watermarks.iter().map(|watermark| lane_column(watermark.lane)).collect::<Vec<_>>())
    .bind(watermarks.iter().map(|watermark| signed(watermark.sequence)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn load_cart(
    connection: &mut PgConnection,
    id: CartId,
) -> TableResult<Option<Stored<CartSnapshot>>> {
    // One statement, so that snapshot and tail are of one moment.
    let parts: Vec<Part> = sqlx::query_as(
        "SELECT version, bytes FROM (
             SELECT 0 AS place, version, image AS bytes FROM cart WHERE id = $1
             UNION ALL
             SELECT version, version, changes FROM cart_tail
             WHERE cart = $1 AND version > (SELECT image_version FROM cart WHERE id = $1)) AS parts
         ORDER BY place",
    )
    .bind(id_bytes(id.0))
    .fetch_all(connection)
    .await?;
    let subject = format_args!("cart {id}");
    let stored = assemble(&parts, subject, decode_cart_snapshot, |snapshot| snapshot.cart.version)?;
    Ok(stored.map(|(snapshot, tail)| Stored { snapshot, tail }))
}

pub(super) async fn load_stock(
    connection: &mut PgConnection,
    sku: &Sku,
) -> TableResult<Option<Stored<StockSnapshot>>> {
    let parts: Vec<Part> = sqlx::query_as(
        "SELECT version, bytes FROM (
             SELECT 0 AS place, version, image AS bytes FROM stock WHERE sku = $1
             UNION ALL
             SELECT version, version, changes FROM stock_tail
             WHERE sku = $1 AND version > (SELECT image_version FROM stock WHERE sku = $1)) AS parts
         ORDER BY place",
    )
    .bind(sku.as_str())
    .fetch_all(connection)
    .await?;
    let subject = format_args!("stock {sku}");
    let stored = assemble(&parts, subject, decode_stock_snapshot, |snapshot| snapshot.stock.level.version)?;
    Ok(stored.map(|(snapshot, tail)| Stored { snapshot, tail }))
}

pub(super) async fn watermarks(
    connection: &mut PgConnection,
    incarnation: IncarnationId,
) -> TableResult<Vec<Watermark>> {
    let rows: Vec<(i16, i64)> =
        sqlx::query_as("SELECT lane, sequence FROM watermark WHERE incarnation = $1 ORDER BY lane")
            .bind(id_bytes(incarnation.0))
            .fetch_all(connection)
            .await?;
    let watermark = |(lane, sequence): (i16, i64)| Watermark {
        incarnation,
        lane: lane_of(lane),
        sequence: unsigned(sequence),
    };
    Ok(rows.into_iter().map(watermark).collect())
}

pub(super) async fn forget_incarnation(
    connection: &mut PgConnection,
    incarnation: IncarnationId,
) -> TableResult<()> {
    sqlx::query("DELETE FROM watermark WHERE incarnation = $1")
        .bind(id_bytes(incarnation.0))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn shop_time(connection: &mut PgConnection) -> TableResult<ShopTime> {
    let time =
        sqlx::query_scalar("SELECT greatest(shop_time, (SELECT max(shop_time) FROM member)) FROM shop")
            .fetch_one(connection)
            .await?;
    Ok(ShopTime(time))
}

pub(super) async fn carts_checking_out(connection: &mut PgConnection) -> TableResult<Vec<CartId>> {
    let column: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM cart WHERE checking_out ORDER BY id")
        .fetch_all(connection)
        .await?;
    Ok(ids_of(&column, CartId)?)
}

/// The hold that ends first comes first.
pub(super) async fn stocks_with_holds(connection: &mut PgConnection) -> TableResult<Vec<Sku>> {
    let column: Vec<String> =
        sqlx::query_scalar("SELECT sku FROM stock WHERE has_holds ORDER BY next_deadline")
            .fetch_all(connection)
            .await?;
    Ok(skus_of(column)?)
}

pub(super) async fn secret(connection: &mut PgConnection) -> TableResult<IdSecret> {
    sqlx::query("UPDATE shop SET secret = $1 WHERE secret IS NULL")
        .bind(random_bytes::<32>().to_vec())
        .execute(&mut *connection)
        .await?;
    let secret: Vec<u8> = sqlx::query_scalar("SELECT secret FROM shop").fetch_one(connection).await?;
    let bytes =
        secret.try_into().map_err(|_| StoreError::Corrupt("the shop's secret is not 32 bytes".into()))?;
    Ok(IdSecret::new(bytes))
}
