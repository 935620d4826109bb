use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{catalog::ProductQuery, id::ProductId};
use utoipa::IntoParams;

use crate::{
    app_state::AppState,
    etag::KnownVersions,
    extract::{Cursor, Query, page_limit},
    problem::{Problem, both},
    reply::Reply,
    views::{ListView, Page, ProductView},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListProducts {
    /// Words that must all stand in the name, the description or a SKU.
    query: Option<String>,
    category: Option<String>,
    /// Items of a page: 1 to 200, 50 when not said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Browse the catalogue
#[utoipa::path(
    get, path = "/v1/products", tag = "products", operation_id = "list_products",
    params(ListProducts),
    responses(
        (status = 200, description = "Products, by their ids", body = ListView<ProductView>),
        (status = 304, description = "As you have it"),
    ),
)]
pub async fn list_products(
    State(state): State<Arc<AppState>>,
    known: KnownVersions,
    Query(ListProducts { query, category, limit, cursor }): Query<ListProducts>,
) -> Result<Reply, Problem> {
    let (after, limit) = both(ProductId::read(cursor.as_deref()), page_limit(limit))?;
    let query = ProductQuery { text: query, category, after, limit };
    let (items, more) = state.engine.catalog().search(&query);
    let page = Page { items, more };
    let json = page.encode(|product| ProductView::new(product), |product| product.id.encode());
    Ok(Reply::read_content(&known, json))
}
