//! The usual way, which SmartCart on PostgreSQL is measured beside: the same library for HTTP, the same PostgreSQL, one row
//! for each line of a cart, and a transaction for each change. It is written to be hard to beat: statements are prepared,
//! the connections stay open, a change is one statement where one suffices, and what is contended is locked last. It
//! answers as SmartCart does and leaves out what costs it: it asks nobody for a token.

mod carts;
mod catalog;
mod checkout;
mod problem;
mod stock;
mod view;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use axum::{
    Router,
    routing::{get, post, put},
};
use catalog::Catalog;
use clap::Parser;
use smartcart_loadtests::bench::serve::serve;
use sqlx::{ConnectOptions, PgPool, postgres::PgPoolOptions};

/// SmartCart's allocator too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// An empty database; the tables are made in it.
    #[arg(long)]
    database: String,
    /// Connections to PostgreSQL.
    #[arg(long, default_value_t = 16)]
    pool: u32,
}

#[derive(Debug)]
struct Shop {
    pool: PgPool,
    catalog: Catalog,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let options: sqlx::postgres::PgConnectOptions = arguments.database.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(arguments.pool)
        .min_connections(arguments.pool)
        .test_before_acquire(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options.application_name("usual").disable_statement_logging())
        .await
        .context("connecting to PostgreSQL")?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&pool).await.context("making the tables")?;
    let shop = Arc::new(Shop { pool, catalog: Catalog::default() });
    tokio::spawn(expire_holds(shop.clone()));
    serve(arguments.listen, router(shop)).await
}

fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/v1/products/{id}", put(catalog::put_product))
        .route("/v1/inventory/{sku}", put(stock::put_stock))
        .route("/v1/inventory/{sku}/holds", post(stock::place_hold))
        .route("/v1/carts", post(carts::create))
        .route("/v1/carts/{id}", get(carts::read))
        .route("/v1/carts/{id}/items", post(carts::add_item))
        .route("/v1/carts/{id}/batch", post(carts::batch))
        .route("/v1/carts/{id}/checkout", post(checkout::checkout))
        .with_state(shop)
}

/// Lets go of the holds whose time is over, once a second.
async fn expire_holds(shop: Arc<Shop>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Err(error) = stock::expire(&shop.pool, now_ms()).await {
            eprintln!("holds could not be let go of: {error}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this server is no part of the engine, whose time tests move")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
