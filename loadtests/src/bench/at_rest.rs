//! Carts at rest: rows that no process has in memory. Ten million of them over HTTP would take an hour, so they are
//! copied in the stopped shop's tables from one cart that the server wrote itself, each copy under an id of its own.

use std::path::Path;

use anyhow::{Context, ensure};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

/// Rows of one transaction.
const PORTION: i64 = 500_000;

/// The image bears its cart's id: it is replaced there too. Ids that count upwards keep the inserts at the tree's end.
const COPY: &str = "
    WITH RECURSIVE
      number (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?2),
      template AS (SELECT * FROM cart WHERE version = image_version AND checking_out = 0 LIMIT 1),
      copy (id) AS (SELECT CAST(printf('at-rest-%08x', n) AS BLOB) FROM number)
    INSERT INTO cart (id, version, image_version, owner, checking_out, last_order, currency, quantity, subtotal,
                      updated_at, expires_at, image)
    SELECT copy.id, version, image_version, owner, checking_out, last_order, currency, quantity, subtotal,
           updated_at, expires_at,
           CAST(substr(image, 1, instr(image, template.id) - 1) || copy.id
                || substr(image, instr(image, template.id) + 16) AS BLOB)
    FROM copy, template WHERE instr(image, template.id) > 0";

/// Copies a cart of the stopped shop in `tables` so many times.
pub async fn seed(tables: &Path, carts: u64) -> anyhow::Result<()> {
    let carts = i64::try_from(carts)?;
    let options = SqliteConnectOptions::new().filename(tables);
    let mut connection =
        SqliteConnection::connect_with(&options).await.context("opening the shop's tables")?;
    let mut from = 0;
    while from < carts {
        let to = (from + PORTION).min(carts);
        let inserted = sqlx::query(COPY).bind(from).bind(to).execute(&mut connection).await?.rows_affected();
        ensure!(i64::try_from(inserted)? == to - from, "no cart to copy, or its image does not bear its id");
        from = to;
        eprintln!("{from} carts at rest");
    }
    // The log of the write-ahead is no part of a shop at rest.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await.context("closing the shop's tables")
}

/// The id of a copy, as the API writes it.
pub fn id_of(number: u64) -> String {
    format!("at-rest-{number:08x}").bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sixteen_bytes() {
        assert_eq!(id_of(255), "61742d726573742d3030303030306666");
        assert_eq!(id_of(u64::from(u32::MAX)).len(), 32);
    }
}
