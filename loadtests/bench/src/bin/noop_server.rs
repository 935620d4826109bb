//! The no-op server: what HTTP itself costs. The same library and the same kind of server as SmartCart's; it parses the same
//! body, answers as many bytes, and does nothing else.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::header,
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use clap::Parser;
use serde::Deserialize;
use smartcart_bench::serve::serve;

/// SmartCart's allocator too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Bytes of each reply's body.
    #[arg(long, default_value_t = 700)]
    reply_bytes: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddItem {
    sku: String,
    quantity: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let reply = Bytes::from(vec![b' '; arguments.reply_bytes]);
    let router = Router::new()
        .route("/v1/carts/{id}/items", post(add_item))
        .route("/v1/carts/{id}", get(read_cart))
        .with_state(reply);
    serve(arguments.listen, router).await
}

async fn add_item(
    State(reply): State<Bytes>,
    Path(cart): Path<String>,
    Json(item): Json<AddItem>,
) -> impl IntoResponse {
    // What was parsed must not be optimised away.
    std::hint::black_box((cart, item.sku, item.quantity));
    ([(header::CONTENT_TYPE, "application/json"), (header::ETAG, "\"1\"")], reply)
}

async fn read_cart(State(reply): State<Bytes>, Path(cart): Path<String>) -> impl IntoResponse {
    std::hint::black_box(cart);
    ([(header::CONTENT_TYPE, "application/json"), (header::ETAG, "\"1\"")], reply)
}
