//! The baseline in Redis: a hash for each cart, a field for each SKU. An add is HINCRBY, and HGETALL for the answer, both in
//! one write; over a few connections that all requests share, so that what comes together goes together. Nothing else is
//! written: no version, no key against repetition, no time of the last change, and no database of record.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post, put},
};
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, Pipeline, aio::MultiplexedConnection,
    io::tcp::TcpSettings, pipe,
};

use crate::{
    carts::{AddItem, Batch, CreateCart},
    catalog::{Catalog, Product},
    problem::Problem,
    shop::now_ms,
    stock::PutStock,
    view::{Cart, LIFETIME_MS},
};

/// Fields of a cart that are no SKUs: they are written once.
const CURRENCY: &str = "@currency";
const CREATED_AT: &str = "@created_at";
const STOCK: &str = "stock";
/// Requests that may wait in front of a connection, and bytes that are written at once: more than there ever are.
const QUEUE: usize = 1024;
const WRITTEN_AT_ONCE: usize = 256 * 1024;

#[derive(Debug)]
struct Shop {
    connections: Vec<Shared>,
    turn: AtomicUsize,
    created: AtomicUsize,
    catalog: Catalog,
}

#[derive(Clone)]
struct Shared(MultiplexedConnection);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

pub(crate) async fn router(address: &str, connections: usize) -> anyhow::Result<Router> {
    let info = address.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let client = Client::open(info)?;
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE)
        .set_write_backpressure_boundary(WRITTEN_AT_ONCE);
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections.max(1) {
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        open.push(Shared(connection.context("connecting to Redis")?));
    }
    let shop = Shop {
        connections: open,
        turn: AtomicUsize::new(0),
        created: AtomicUsize::new(0),
        catalog: Catalog::default(),
    };
    Ok(Router::new()
        .route("/v1/products/{id}", put(put_product))
        .route("/v1/inventory/{sku}", put(put_stock))
        .route("/v1/carts", post(create))
        .route("/v1/carts/{id}", get(read))
        .route("/v1/carts/{id}/items", post(add_item))
        .route("/v1/carts/{id}/batch", post(batch))
        .with_state(Arc::new(shop)))
}

impl Shop {
    async fn ask<T: redis::FromRedisValue>(&self, questions: &Pipeline) -> Result<T, Problem> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.connections[turn % self.connections.len()].0.clone();
        Ok(questions.query_async(&mut connection).await?)
    }

    /// Does what is to be done before, and answers the cart as it is then.
    async fn answer(
        &self,
        status: StatusCode,
        id: String,
        mut before: Pipeline,
    ) -> Result<Response, Problem> {
        before.hgetall(key(&id));
        let (fields,): (Vec<(String, String)>,) = self.ask(&before).await?;
        let own = |name| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let currency = own(CURRENCY).ok_or(Problem::NotFound)?;
        let created_at = own(CREATED_AT).and_then(|time| time.parse().ok()).ok_or(Problem::NotFound)?;
        let lines =
            fields.iter().filter(|(field, _)| !field.starts_with('@')).filter_map(|(sku, quantity)| {
                Some((sku.as_str(), quantity.parse().ok()?, self.catalog.get(sku)?.amount))
            });
        let now = now_ms();
        let cart = Cart {
            id,
            version: None,
            currency,
            lines: lines.collect(),
            created_at,
            updated_at: now,
            expires_at: now + LIFETIME_MS,
        };
        Ok(cart.answer(status, &self.catalog))
    }

    fn add(&self, cart: &str, items: Vec<(String, u32)>) -> Result<Pipeline, Problem> {
        let mut adds = pipe();
        for (sku, quantity) in items {
            self.catalog.get(&sku).ok_or(Problem::UnknownSku)?;
            adds.hincr(key(cart), sku, quantity).ignore();
        }
        Ok(adds)
    }
}

fn key(cart: &str) -> String {
    format!("cart:{cart}")
}

async fn read(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Response, Problem> {
    shop.answer(StatusCode::OK, id, pipe()).await
}

async fn create(
    State(shop): State<Arc<Shop>>,
    Json(CreateCart { currency }): Json<CreateCart>,
) -> Result<Response, Problem> {
    // As long as SmartCart's, and unique in this process, which begins with an empty Redis.
    let id = format!("{:032x}", shop.created.fetch_add(1, Ordering::Relaxed));
    let mut new = pipe();
    let fields = [(CURRENCY, currency), (CREATED_AT, now_ms().to_string())];
    new.hset_multiple(key(&id), &fields).ignore();
    shop.answer(StatusCode::CREATED, id, new).await
}

async fn add_item(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    Json(item): Json<AddItem>,
) -> Result<Response, Problem> {
    let add = shop.add(&id, vec![(item.sku, item.quantity)])?;
    shop.answer(StatusCode::OK, id, add).await
}

async fn batch(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    Json(batch): Json<Batch>,
) -> Result<Response, Problem> {
    let adds = shop.add(&id, batch.items())?;
    shop.answer(StatusCode::OK, id, adds).await
}

async fn put_product(
    State(shop): State<Arc<Shop>>,
    Path(_id): Path<String>,
    Json(product): Json<Product>,
) -> StatusCode {
    for (sku, listing) in product.listings() {
        shop.catalog.put(sku, listing);
    }
    StatusCode::OK
}

async fn put_stock(
    State(shop): State<Arc<Shop>>,
    Path(sku): Path<String>,
    Json(PutStock { on_hand }): Json<PutStock>,
) -> Result<StatusCode, Problem> {
    let mut put = pipe();
    put.hset(STOCK, sku, on_hand).ignore();
    shop.ask::<()>(&put).await?;
    Ok(StatusCode::OK)
}
