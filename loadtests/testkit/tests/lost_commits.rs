//! The proxy in front of a real PostgreSQL: what is lost is the answer, and not the commit.

#![expect(clippy::unwrap_used, reason = "a test that fails says so")]

use std::time::{Duration, Instant};

use smartcart_testkit::proxy::{Flow, Network, Proxy};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

const NO_POSTGRES: &str =
    "these tests need a PostgreSQL: run them with scripts/with-postgres.sh, which starts one";

struct Database {
    proxy: Proxy,
    through: PgConnectOptions,
    /// Past the proxy.
    direct: PgConnection,
    table: &'static str,
}

impl Database {
    async fn open(table: &'static str) -> Self {
        let address = std::env::var("SMARTCART_TEST_POSTGRES").expect(NO_POSTGRES);
        let options: PgConnectOptions = address.parse().unwrap();
        let server = format!("{}:{}", options.get_host(), options.get_port()).parse().unwrap();
        let proxy = Proxy::of_postgres(server, 1).await.unwrap();
        let mut direct = options.connect().await.unwrap();
        let create = format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (id BIGINT PRIMARY KEY)");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut direct).await.unwrap();
        Self { through: options.port(proxy.address().port()), proxy, direct, table }
    }

    async fn connect(&self) -> PgConnection {
        self.through.connect().await.unwrap()
    }

    /// Whether the client was told that the row is there.
    async fn insert(&self, connection: &mut PgConnection, id: i64, in_transaction: bool) -> bool {
        let insert = format!("INSERT INTO {} (id) VALUES ($1)", self.table);
        let insert = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(id);
        if !in_transaction {
            return insert.execute(connection).await.is_ok();
        }
        let mut transaction = connection.begin().await.unwrap();
        insert.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.is_ok()
    }

    async fn rows(&mut self) -> i64 {
        let count = format!("SELECT count(*) FROM {}", self.table);
        sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut self.direct).await.unwrap()
    }
}

#[tokio::test]
async fn a_lost_answer_breaks_the_connection_and_the_row_is_there() {
    for in_transaction in [false, true] {
        let mut database = Database::open("lost_answer").await;
        let mut connection = database.connect().await;
        assert!(database.insert(&mut connection, 1, in_transaction).await);
        let losses = database.proxy.losses().unwrap();
        losses.lose(100);
        assert!(!database.insert(&mut connection, 2, in_transaction).await);
        assert!(connection.ping().await.is_err(), "the connection is broken");
        assert_eq!((losses.commits(), losses.lost(), losses.unreadable()), (2, 1, 0));
        assert_eq!(database.rows().await, 2);
    }
}

#[tokio::test]
async fn one_answer_in_ten_is_lost_and_no_row() {
    let mut database = Database::open("one_in_ten").await;
    database.proxy.losses().unwrap().lose(10);
    let mut connection = database.connect().await;
    let mut unknown = 0;
    for id in 1..=300 {
        if !database.insert(&mut connection, id, id % 2 == 0).await {
            unknown += 1;
            connection = database.connect().await;
        }
    }
    assert_eq!(database.rows().await, 300);
    let losses = database.proxy.losses().unwrap();
    assert_eq!((losses.commits(), losses.lost()), (300, unknown));
    assert!((10..=60).contains(&unknown), "{unknown}");
}

#[tokio::test]
async fn what_a_partition_held_is_done_when_it_heals_though_its_client_has_gone() {
    let mut database = Database::open("held").await;
    let mut connection = database.connect().await;
    assert!(database.insert(&mut connection, 1, false).await);
    database.proxy.set(Network::flows(Flow::Hold, Flow::Hold));
    let insert = database.insert(&mut connection, 2, false);
    assert!(tokio::time::timeout(Duration::from_millis(200), insert).await.is_err());
    drop(connection);
    assert_eq!(database.rows().await, 1);
    database.proxy.heal();
    let began = Instant::now();
    while database.rows().await < 2 {
        assert!(began.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn commits_alone_can_be_slow() {
    let database = Database::open("slow").await;
    let mut connection = database.connect().await;
    database.proxy.losses().unwrap().slow_down(Duration::from_millis(40));
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        connection.ping().await.unwrap();
        fastest = fastest.min(began.elapsed());
    }
    let began = Instant::now();
    assert!(database.insert(&mut connection, 1, true).await);
    assert!(began.elapsed() >= Duration::from_millis(40));
    assert!(fastest < Duration::from_millis(40), "a read is held up too: {fastest:?}");
}
