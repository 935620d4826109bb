//! The baselines, which SmartCart is measured beside: the same library for HTTP, the same answers. They are written to be
//! hard to beat, and leave out what costs SmartCart: they ask nobody for a token.
//!
//! - `--database`: PostgreSQL, one row for each line of a cart, and a transaction for each change. Statements are
//!   prepared, the connections stay open, a change is one statement where one suffices, and what is contended is locked last.
//! - `--redis`: carts in Redis and nowhere else, a hash for each (`in_redis.rs`).

mod carts;
mod catalog;
mod checkout;
mod in_redis;
mod problem;
mod products;
mod shop;
mod stock;
mod view;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use axum::{
    Router,
    routing::{get, post, put},
};
use catalog::Catalog;
use clap::{Args, Parser};
use shop::{Shop, now_ms};
use smartcart_bench::serve::serve;
use sqlx::{ConnectOptions, postgres::PgPoolOptions};

/// SmartCart's allocator too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    place: Place,
    /// Connections to PostgreSQL.
    #[arg(long, default_value_t = 16)]
    pool: u32,
    /// Connections to Redis, each of which carries many requests at once.
    #[arg(long, default_value_t = 1)]
    redis_connections: usize,
}

/// Where the carts are.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// An empty database; the tables are made in it.
    #[arg(long)]
    database: Option<String>,
    /// An empty Redis: redis://host:port.
    #[arg(long)]
    redis: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let router = match arguments.place {
        Place { database: Some(database), .. } => in_postgres(&database, arguments.pool).await?,
        Place { redis: Some(redis), .. } => in_redis::router(&redis, arguments.redis_connections).await?,
        Place { .. } => bail!("name a database or a Redis"),
    };
    serve(arguments.listen, router).await
}

async fn in_postgres(database: &str, connections: u32) -> anyhow::Result<Router> {
    let options: sqlx::postgres::PgConnectOptions = database.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .test_before_acquire(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options.application_name("baseline").disable_statement_logging())
        .await
        .context("connecting to PostgreSQL")?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&pool).await.context("making the tables")?;
    let shop = Arc::new(Shop { pool, catalog: Catalog::default() });
    tokio::spawn(expire_holds(shop.clone()));
    Ok(router(shop))
}

fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/v1/products/{id}", put(products::put))
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
