use smartcart_domain::{id::Sku, inventory::StockLevel, snapshot::StockSnapshot};
use smartcart_engine::store::{Row, Stored};
use sqlx::SqliteConnection;

use super::snapshots::EntityRow;
use crate::error::TableResult;
use crate::{
    columns::skus_of,
    rows::{Part, StockRow, assemble},
    sqlite::bulk::Bound,
};
use smartcart_wire::{decode_stock_snapshot, encode_stock_snapshot};

impl EntityRow for StockRow<'_> {
    const TABLE: &'static str = "stock";
    const KEYS: (&'static str, &'static str) = ("sku", "sku");
    const COLUMNS: &'static [&'static str] = &["on_hand", "held", "sold", "stocked", "next_deadline"];

    fn row(&self) -> &Row {
        self.row
    }

    fn bind_key(&self, query: Bound) -> Bound {
        query.bind(self.sku.to_string())
    }

    fn bind_columns(&self, query: Bound) -> Bound {
        let StockLevel { on_hand, held, sold, stocked, .. } = *self.level;
        let deadline = self.next_deadline.map(|deadline| deadline.0);
        query.bind(on_hand).bind(held).bind(sold).bind(stocked).bind(deadline)
    }

    fn snapshot(&self) -> Option<(u64, Vec<u8>)> {
        self.snapshot.map(|snapshot| (snapshot.stock.level.version, encode_stock_snapshot(snapshot)))
    }
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    sku: &Sku,
) -> TableResult<Option<Stored<StockSnapshot>>> {
    let key = sku.as_str();
    // One statement, so that snapshot and tail are of one moment.
    let parts = sqlx::query_as!(
        Part,
        r#"SELECT version AS "version!", bytes AS "bytes!: Vec<u8>" FROM (
               SELECT 0 AS place, version, image AS bytes FROM stock WHERE sku = ?1
               UNION ALL
               SELECT version, version, changes FROM stock_tail
               WHERE sku = ?1 AND version > (SELECT image_version FROM stock WHERE sku = ?1))
           ORDER BY place"#,
        key
    )
    .fetch_all(connection)
    .await?;
    let subject = format_args!("stock {sku}");
    let stored = assemble(&parts, subject, decode_stock_snapshot, |snapshot| snapshot.stock.level.version)?;
    Ok(stored.map(|(snapshot, tail)| Stored { snapshot, tail }))
}

/// The hold that ends first comes first.
pub(super) async fn with_holds(connection: &mut SqliteConnection) -> TableResult<Vec<Sku>> {
    let column =
        sqlx::query_scalar!("SELECT sku FROM stock WHERE next_deadline IS NOT NULL ORDER BY next_deadline")
            .fetch_all(connection)
            .await?;
    Ok(skus_of(column)?)
}
