//! One transaction for what the write-behind brings: carts, stock, orders, watermarks.

use smartcart_domain::{
    entry::{Lane, Watermark},
    id::{IdSecret, IncarnationId, random_bytes},
    time::ShopTime,
};
use smartcart_engine::store::{StoreError, TableBatch};
use sqlx::{Connection, SqliteConnection};

pub(super) use super::{
    carts::{checking_out as carts_checking_out, load as load_cart},
    inventory::{load as load_stock, with_holds as stocks_with_holds},
};
use super::{orders, snapshots};
use crate::columns::{id_bytes, signed, unsigned};
use crate::error::TableResult;
use crate::rows::{CartRow, RowsByKind, StockRow};

#[derive(Debug)]
pub(super) struct Statements {
    carts: snapshots::Statements,
    stock: snapshots::Statements,
    orders: orders::Statements,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            carts: snapshots::Statements::of::<CartRow<'_>>(),
            stock: snapshots::Statements::of::<StockRow<'_>>(),
            orders: orders::Statements::default(),
        }
    }
}

pub(super) async fn flush(
    connection: &mut SqliteConnection,
    statements: &Statements,
    batch: &TableBatch,
) -> TableResult<()> {
    let RowsByKind { carts, stock } = RowsByKind::of(&batch.rows)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    snapshots::flush(&mut transaction, &statements.carts, carts).await?;
    snapshots::flush(&mut transaction, &statements.stock, stock).await?;
    orders::insert(&mut transaction, &statements.orders, &batch.orders).await?;
    for watermark in &batch.watermarks {
        raise(&mut transaction, watermark).await?;
    }
    sqlx::query!("UPDATE shop SET shop_time = ? WHERE shop_time < ?", batch.shop.0, batch.shop.0)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

async fn raise(connection: &mut SqliteConnection, watermark: &Watermark) -> TableResult<()> {
    let (incarnation, sequence) = (id_bytes(watermark.incarnation.0), signed(watermark.sequence));
    sqlx::query!(
        "INSERT INTO watermark (incarnation, lane, sequence) VALUES (?, ?, ?)
         ON CONFLICT (incarnation, lane) DO UPDATE SET sequence = MAX(sequence, excluded.sequence)",
        incarnation,
        watermark.lane.0,
        sequence
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn watermarks(
    connection: &mut SqliteConnection,
    incarnation: IncarnationId,
) -> TableResult<Vec<Watermark>> {
    let id = id_bytes(incarnation.0);
    let rows = sqlx::query!(
        r#"SELECT lane AS "lane: u16", sequence FROM watermark WHERE incarnation = ? ORDER BY lane"#,
        id
    )
    .fetch_all(connection)
    .await?;
    let watermark =
        |lane, sequence| Watermark { incarnation, lane: Lane(lane), sequence: unsigned(sequence) };
    Ok(rows.into_iter().map(|row| watermark(row.lane, row.sequence)).collect())
}

pub(super) async fn forget_incarnation(
    connection: &mut SqliteConnection,
    incarnation: IncarnationId,
) -> TableResult<()> {
    let id = id_bytes(incarnation.0);
    sqlx::query!("DELETE FROM watermark WHERE incarnation = ?", id).execute(connection).await?;
    Ok(())
}

pub(super) async fn shop_time(connection: &mut SqliteConnection) -> TableResult<ShopTime> {
    let time = sqlx::query_scalar!("SELECT shop_time FROM shop").fetch_one(connection).await?;
    Ok(ShopTime(time))
}

pub(super) async fn secret(connection: &mut SqliteConnection) -> TableResult<IdSecret> {
    let fresh = random_bytes::<32>().to_vec();
    sqlx::query!("UPDATE shop SET secret = ? WHERE secret IS NULL", fresh).execute(&mut *connection).await?;
    let secret = sqlx::query_scalar!(r#"SELECT secret AS "secret!" FROM shop"#).fetch_one(connection).await?;
    let bytes =
        secret.try_into().map_err(|_| StoreError::Corrupt("the shop's secret is not 32 bytes".into()))?;
    Ok(IdSecret::new(bytes))
}
