//! Stored carts: rows that no process has in memory. Ten million of them over HTTP would take an hour, so they are
//! copied in the stopped shop's tables from one cart that the server wrote itself, each copy under an id of its own.

use std::path::Path;

use anyhow::{Context, ensure};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

/// Rows of one transaction.
const PORTION: i64 = 500_000;

/// A copy's id has the template's first eight bytes and a number's digits for the others. The image bears them too, as
/// protobuf's `fixed64`: the lowest byte first. Ids that count upwards keep the inserts together in the tree.
const COPY: &str = "
    WITH RECURSIVE
      number (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?2),
      template AS (
        SELECT *, instr(image, CAST(
            substr(id, 16, 1) || substr(id, 15, 1) || substr(id, 14, 1) || substr(id, 13, 1) ||
            substr(id, 12, 1) || substr(id, 11, 1) || substr(id, 10, 1) || substr(id, 9, 1) AS BLOB)) AS place
        FROM cart WHERE version = image_version AND checking_out = 0 LIMIT 1),
      digits (low) AS (SELECT printf('%08x', n) FROM number),
      copy (low, reversed) AS (
        SELECT low,
            substr(low, 8, 1) || substr(low, 7, 1) || substr(low, 6, 1) || substr(low, 5, 1) ||
            substr(low, 4, 1) || substr(low, 3, 1) || substr(low, 2, 1) || substr(low, 1, 1)
        FROM digits)
    INSERT INTO cart (id, version, image_version, owner, checking_out, last_order, currency, quantity, subtotal,
                      updated_at, expires_at, image)
    SELECT CAST(substr(template.id, 1, 8) || copy.low AS BLOB), version, image_version, owner, checking_out,
           last_order, currency, quantity, subtotal, updated_at, expires_at,
           CAST(substr(image, 1, place - 1) || copy.reversed || substr(image, place + 8) AS BLOB)
    FROM copy, template WHERE place > 0";

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
        eprintln!("{from} stored carts");
    }
    // The log of the write-ahead is no part of a stopped shop.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await.context("closing the shop's tables")
}

/// The id of a copy of `template`, as the API writes it.
pub fn id_of(template: &str, number: u64) -> String {
    let digits = format!("{number:08x}");
    let low = digits.bytes().map(|byte| format!("{byte:02x}"));
    template.chars().take(16).chain(low.collect::<String>().chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_id_has_the_number_in_its_second_half() {
        let id = id_of("00112233445566778899aabbccddeeff", 255);
        assert_eq!(id, "00112233445566773030303030306666");
    }
}
