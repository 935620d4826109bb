//! The PostgreSQL server that everything is measured on: databases of the bench's own, and what the server counts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use smartcart_testkit::{
    postgres::{create_database, database_at},
    process::{family_cpu_micros, parent_of},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, postgres::PgPoolOptions};

/// A session tells its counts when its transaction ends and a second has passed since it told the last ones, or when it
/// has had nothing to do for ten seconds.
pub const COUNTED_AFTER: Duration = Duration::from_secs(11);

/// A setting is taken up by every session with its next statement.
const SLOWED_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Cluster {
    /// The address that the bench was given.
    url: String,
    admin: PgPool,
    /// PostgreSQL's first process, when it runs on this machine.
    postmaster: Option<u32>,
}

/// Rows that a table took, by what happened to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
}

impl Written {
    pub const fn rows(self) -> i64 {
        self.inserted + self.updated + self.deleted
    }
}

pub type Tables = BTreeMap<String, Written>;

impl Cluster {
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let admin = PgPoolOptions::new().max_connections(2).connect(url).await.context("connecting")?;
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&admin).await?;
        let postmaster = u32::try_from(pid).ok().and_then(|pid| parent_of(pid, "postgres"));
        let durable: String =
            sqlx::query_scalar("SELECT current_setting('synchronous_commit')").fetch_one(&admin).await?;
        ensure!(
            durable == "on",
            "this server's synchronous_commit is {durable}: nothing here would be durable"
        );
        Ok(Self { url: url.to_owned(), admin, postmaster })
    }

    /// Makes an empty database in place of an earlier run's, and answers its address.
    pub async fn fresh(&self, name: &str) -> anyhow::Result<String> {
        create_database(&self.url, name).await
    }

    pub fn address_of(&self, name: &str) -> anyhow::Result<String> {
        database_at(&self.url, name)
    }

    /// Bytes that the write-ahead log has had so far, of all databases.
    pub async fn log_bytes(&self) -> anyhow::Result<i64> {
        let query = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        Ok(sqlx::query_scalar(query).fetch_one(&self.admin).await?)
    }

    /// So that pages that are touched again are not logged whole for the first time in one slice and not in another.
    pub async fn checkpoint(&self) -> anyhow::Result<()> {
        sqlx::query("CHECKPOINT").execute(&self.admin).await?;
        Ok(())
    }

    /// How long an empty transaction took to be durable.
    async fn commit(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        sqlx::query("SELECT pg_logical_emit_message(true, 'bench', '')").execute(&self.admin).await?;
        Ok(began.elapsed())
    }

    /// From now on the write-ahead log is flushed so much later, and every commit, of all databases, is durable so much
    /// later (`commit_delay`). Returns when that is seen.
    pub async fn slow_down(&self, by: Duration) -> anyhow::Result<()> {
        let settings = if by.is_zero() {
            ["ALTER SYSTEM RESET commit_delay".to_owned(), "ALTER SYSTEM RESET commit_siblings".to_owned()]
        } else {
            // Also for a commit that is alone.
            [
                format!("ALTER SYSTEM SET commit_delay = {}", by.as_micros()),
                "ALTER SYSTEM SET commit_siblings = 0".to_owned(),
            ]
        };
        for statement in settings {
            sqlx::query(AssertSqlSafe(statement)).execute(&self.admin).await?;
        }
        sqlx::query("SELECT pg_reload_conf()").execute(&self.admin).await?;
        let began = Instant::now();
        while self.slowed_by().await? != by {
            ensure!(began.elapsed() < SLOWED_WITHIN, "PostgreSQL does not take up another commit_delay");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // A commit that shares the flush of somebody who came before is sooner done.
        while self.commit().await? < by {
            ensure!(began.elapsed() < SLOWED_WITHIN, "no commit takes {by:?} more");
        }
        Ok(())
    }

    async fn slowed_by(&self) -> anyhow::Result<Duration> {
        let query = "SELECT setting::bigint FROM pg_settings WHERE name = 'commit_delay'";
        let micros: i64 = sqlx::query_scalar(query).fetch_one(&self.admin).await?;
        Ok(Duration::from_micros(u64::try_from(micros)?))
    }

    /// CPU of all its processes, when they are here.
    pub fn cpu_micros(&self) -> anyhow::Result<Option<u64>> {
        self.postmaster.map(family_cpu_micros).transpose()
    }
}

/// What the tables of a database have taken so far, as far as its sessions have told.
pub async fn tables(url: &str) -> anyhow::Result<Tables> {
    let mut connection = session(url).await?;
    let rows: Vec<(String, i64, i64, i64)> =
        sqlx::query_as("SELECT relname::text, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables")
            .fetch_all(&mut connection)
            .await?;
    connection.close().await?;
    let written = |(name, inserted, updated, deleted)| (name, Written { inserted, updated, deleted });
    Ok(rows.into_iter().map(written).collect())
}

/// What they took since `before`, without those that took nothing.
pub fn since(now: &Tables, before: &Tables) -> Tables {
    let difference = |(name, now): (&String, &Written)| {
        let before = before.get(name).copied().unwrap_or_default();
        let written = Written {
            inserted: now.inserted - before.inserted,
            updated: now.updated - before.updated,
            deleted: now.deleted - before.deleted,
        };
        (written.rows() > 0).then(|| (name.clone(), written))
    };
    now.iter().filter_map(difference).collect()
}

/// What a database's own tending would do later, done before anything is measured.
pub async fn vacuum(url: &str) -> anyhow::Result<()> {
    let mut connection = session(url).await?;
    sqlx::query("VACUUM (ANALYZE)").execute(&mut connection).await?;
    Ok(connection.close().await?)
}

pub async fn session(url: &str) -> anyhow::Result<PgConnection> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    options.disable_statement_logging().connect().await.context("connecting to a database of the bench")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_took_nothing_are_left_out() {
        let written = |inserted, updated| Written { inserted, updated, deleted: 0 };
        let before = Tables::from([("cart".into(), written(5, 5)), ("stock".into(), written(1, 0))]);
        let now = Tables::from([
            ("cart".into(), written(6, 9)),
            ("stock".into(), written(1, 0)),
            ("entry".into(), written(2, 0)),
        ]);
        let expected = Tables::from([("cart".into(), written(1, 4)), ("entry".into(), written(2, 0))]);
        assert_eq!(since(&now, &before), expected);
    }
}
