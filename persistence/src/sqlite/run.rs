//! Whether the two files belong together. One that is missing, or older than the other, as after a restore of one alone, means
//! that acknowledged changes are missing: a shop is not opened on it.

use smartcart_domain::id::random_bytes;
use sqlx::SqliteConnection;

use crate::{
    columns::{signed, unsigned},
    error::Mismatch,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    shop: [u8; 16],
    /// The last run that this file knows both to have.
    known: u64,
    /// The one that may be in the tables already; `known` where a file says no more.
    begun: u64,
}

/// Begins a run on files that belong together. With `accept`, also where changes are missing: they are lost.
pub(super) async fn begin(
    journal: &mut SqliteConnection,
    tables: &mut SqliteConnection,
    accept: bool,
) -> Result<Result<(), Mismatch>, sqlx::Error> {
    let (of_journal, of_tables) = (in_journal(journal).await?, in_tables(tables).await?);
    let mut belong_together = compare(of_journal, of_tables);
    if belong_together.is_ok() && knows_less(journal, tables).await? {
        belong_together = Err(Mismatch::OldJournal);
    }
    if let Err(mismatch) = belong_together {
        if !accept || !mismatch.can_be_accepted() {
            return Ok(Err(mismatch));
        }
        tracing::error!(%mismatch, "going on without the changes that are missing, as the settings say");
    }
    let shop = of_tables.or(of_journal).map_or_else(random_bytes, |run| run.shop);
    let known = [of_journal, of_tables].into_iter().flatten().map(|run| run.known).max().unwrap_or(0);
    let next = [of_journal, of_tables].into_iter().flatten().map(|run| run.begun).max().unwrap_or(0) + 1;
    // The journal is written before and after the tables: wherever this stops, the two still belong together.
    to_journal(journal, Run { shop, known, begun: next }).await?;
    to_tables(tables, shop, next).await?;
    to_journal(journal, Run { shop, known: next, begun: next }).await?;
    Ok(Ok(()))
}

fn compare(journal: Option<Run>, tables: Option<Run>) -> Result<(), Mismatch> {
    match (journal, tables) {
        // New, or of a version that did not look; or the first start stopped before the tables knew of it.
        (None, None) | (Some(Run { known: 0, .. }), None) => Ok(()),
        (None, Some(_)) => Err(Mismatch::NoJournal),
        (Some(_), None) => Err(Mismatch::NoTables),
        (Some(journal), Some(tables)) if journal.shop != tables.shop => Err(Mismatch::OtherShop),
        (Some(journal), Some(tables)) if tables.known < journal.known => Err(Mismatch::OldTables),
        (Some(journal), Some(tables)) if tables.known > journal.begun => Err(Mismatch::OldJournal),
        _ => Ok(()),
    }
}

/// Whether the tables have entries that the journal has never had.
async fn knows_less(
    journal: &mut SqliteConnection,
    tables: &mut SqliteConnection,
) -> Result<bool, sqlx::Error> {
    let watermarks =
        sqlx::query!("SELECT incarnation, lane, sequence FROM watermark").fetch_all(tables).await?;
    for watermark in watermarks {
        let last = sqlx::query_scalar!(
            r#"SELECT MAX(sequence) AS "last: i64"
               FROM (SELECT sequence FROM entry WHERE incarnation = ?1 AND lane = ?2
                     UNION ALL SELECT through FROM trimmed WHERE incarnation = ?1 AND lane = ?2)"#,
            watermark.incarnation,
            watermark.lane
        )
        .fetch_one(&mut *journal)
        .await?;
        // What the tables have whole may be forgotten whole.
        if last.is_some_and(|last| last < watermark.sequence) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn in_journal(connection: &mut SqliteConnection) -> Result<Option<Run>, sqlx::Error> {
    let row = sqlx::query!("SELECT shop, known, begun FROM run").fetch_optional(connection).await?;
    row.map(|row| run(row.shop, row.known, row.begun)).transpose()
}

async fn in_tables(connection: &mut SqliteConnection) -> Result<Option<Run>, sqlx::Error> {
    let row = sqlx::query!("SELECT shop, number FROM last_run").fetch_optional(connection).await?;
    row.map(|row| run(row.shop, row.number, row.number)).transpose()
}

fn run(shop: Vec<u8>, known: i64, begun: i64) -> Result<Run, sqlx::Error> {
    let shop =
        shop.try_into().map_err(|_| sqlx::Error::Decode("the shop's number is not 16 bytes".into()))?;
    Ok(Run { shop, known: unsigned(known), begun: unsigned(begun) })
}

async fn to_journal(connection: &mut SqliteConnection, run: Run) -> Result<(), sqlx::Error> {
    let (shop, known, begun) = (run.shop.to_vec(), signed(run.known), signed(run.begun));
    sqlx::query!(
        "INSERT INTO run (one, shop, known, begun) VALUES (1, ?, ?, ?)
         ON CONFLICT DO UPDATE SET shop = excluded.shop, known = excluded.known, begun = excluded.begun",
        shop,
        known,
        begun
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn to_tables(
    connection: &mut SqliteConnection,
    shop: [u8; 16],
    number: u64,
) -> Result<(), sqlx::Error> {
    let (shop, number) = (shop.to_vec(), signed(number));
    sqlx::query!(
        "INSERT INTO last_run (one, shop, number) VALUES (1, ?, ?)
         ON CONFLICT DO UPDATE SET shop = excluded.shop, number = excluded.number",
        shop,
        number
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(known: u64, begun: u64) -> Option<Run> {
        Some(Run { shop: [1; 16], known, begun })
    }

    #[test]
    fn files_of_one_run_belong_together_wherever_a_start_stopped() {
        for (journal, tables) in
            [(of(4, 4), of(4, 4)), (of(4, 5), of(4, 4)), (of(4, 5), of(5, 5)), (None, None), (of(0, 1), None)]
        {
            assert_eq!(compare(journal, tables), Ok(()), "{journal:?} {tables:?}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_older_is_found() {
        let other = Some(Run { shop: [2; 16], known: 4, begun: 4 });
        for (journal, tables, found) in [
            (None, of(1, 1), Mismatch::NoJournal),
            (of(1, 1), None, Mismatch::NoTables),
            (of(4, 4), other, Mismatch::OtherShop),
            (of(4, 4), of(3, 3), Mismatch::OldTables),
            (of(4, 4), of(5, 5), Mismatch::OldJournal),
            (of(4, 5), of(6, 6), Mismatch::OldJournal),
        ] {
            assert_eq!(compare(journal, tables), Err(found));
        }
    }
}
