//! One statement for many rows: the cost of a round trip to the connection's thread, and of a step of the statement,
//! is shared. A few fixed sizes, so that the statements stay prepared; each twice the next, so that any number of rows takes
//! few of them.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};

const SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

pub(super) type Bound = Query<'static, Sqlite, SqliteArguments>;

/// A statement with a list of rows in its middle, prepared for each size.
#[derive(Debug)]
pub(super) struct Bulk(Vec<(usize, Arc<str>)>);

impl Bulk {
    /// `head`, then a parenthesised row of `columns` placeholders for each row, then `tail`.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let statement = |size: usize| format!("{head} {} {tail}", vec![row.as_str(); size].join(","));
        Self(SIZES.iter().map(|&size| (size, statement(size).into())).collect())
    }

    /// Runs it over all rows and says how many rows it changed.
    pub(super) async fn execute<R: Sync>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[R],
        bind: impl Fn(Bound, &R) -> Bound,
    ) -> Result<u64, sqlx::Error> {
        let mut changed = 0;
        for (size, statement) in &self.0 {
            while let Some((chunk, rest)) = rows.split_at_checked(*size).filter(|_| !rows.is_empty()) {
                // The text is put together from constants of this crate above.
                let query = sqlx::query(AssertSqlSafe(statement.clone()));
                changed += chunk.iter().fold(query, &bind).execute(&mut *connection).await?.rows_affected();
                rows = rest;
            }
        }
        Ok(changed)
    }
}
