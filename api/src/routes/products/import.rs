use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
};
use serde::Serialize;
use smartcart_domain::{
    catalog::{Catalog, Product},
    time::Timestamp,
};
use smartcart_engine::store::StoreError;
use utoipa::ToSchema;

use super::body::ProductBody;
use crate::{
    app_state::AppState,
    auth::Identity,
    extract::{parse, read_body},
    json,
    problem::{Code, FieldCode, FieldError, Problem},
    reply::{Durability, Reply},
};

/// Products of one transaction.
const SLICE: usize = 500;

/// What became of an import's rows.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ImportResult)]
pub struct ImportView {
    written: usize,
    /// Rows that say what the catalogue says already.
    unchanged: usize,
    rejected: Vec<RejectedRow>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedRow {
    /// From 1.
    line: usize,
    #[schema(value_type = String)]
    code: &'static str,
    detail: String,
    /// Every invalid field of the row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// Import products
///
/// NDJSON: a product on each line, with its `id`. Each row stands for itself; the answer lists those that were
/// refused. The same import again changes nothing. Needs a service token.
#[utoipa::path(
    post, path = "/v1/products/import", tag = "products", operation_id = "import_products",
    security(("service" = [])),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, description = "What became of the rows", body = ImportView)),
)]
pub async fn import_products(
    State(state): State<Arc<AppState>>,
    identity: Identity,
    headers: HeaderMap,
    body: Body,
) -> Result<Reply, Problem> {
    identity.service()?;
    must_be_ndjson(&headers)?;
    let text = read_body(&headers, body, state.upload_limit).await?;
    let mut result = ImportView::default();
    let rows = read_rows(&text, state.engine.clock().wall(), &mut result);
    let (unchanged, changed): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, product)| is_known(&state.engine.catalog(), product));
    result.unchanged = unchanged.len();
    for slice in changed.chunks(SLICE) {
        write(&state, slice, &mut result).await?;
    }
    Ok(Reply::ok(json::encode(&result)).durable(Durability::Committed, false))
}

fn must_be_ndjson(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if ["application/x-ndjson", "application/ndjson", "application/jsonl"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
    {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "this call takes application/x-ndjson"))
}

/// The rows that are products, with their lines.
fn read_rows(text: &[u8], now: Timestamp, result: &mut ImportView) -> Vec<(usize, Product)> {
    // Spreadsheets begin a file with a byte order mark.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let mut rows = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        match read_row(line, now) {
            Ok(product) => rows.push((index + 1, product)),
            Err(problem) => result.reject(index + 1, &problem),
        }
    }
    rows
}

fn read_row(line: &[u8], now: Timestamp) -> Result<Product, Problem> {
    let mut body: ProductBody = parse(line)?;
    let id = body.id.take().ok_or_else(|| {
        let detail = "it is missing".to_owned();
        let error = FieldError { pointer: "/id".to_owned(), code: FieldCode::Missing, detail };
        Problem::new(Code::InvalidBody, "id: it is missing").at(error)
    })?;
    body.into_product(id, now)
}

/// The catalogue says the same already.
fn is_known(catalog: &Catalog, product: &Product) -> bool {
    catalog.product(&product.id).is_some_and(|known| known.says_the_same(product))
}

/// One transaction; when a row of it is refused, row by row, so that the others are written.
async fn write(state: &AppState, rows: &[(usize, Product)], result: &mut ImportView) -> Result<(), Problem> {
    let products: Vec<Product> = rows.iter().map(|(_, product)| product.clone()).collect();
    match state.engine.put_products(&products).await {
        Ok(written) => result.written += written.len(),
        Err(StoreError::Conflict(_)) => {
            for (line, product) in rows {
                match state.engine.put_product(product, None, None).await {
                    Ok(_) => result.written += 1,
                    Err(error @ StoreError::Conflict(_)) => result.reject(*line, &error.into()),
                    Err(error) => return Err(result.ended_by(error)),
                }
            }
        }
        Err(error) => return Err(result.ended_by(error)),
    }
    Ok(())
}

impl ImportView {
    /// The store has failed; what was written before stays.
    fn ended_by(&self, error: StoreError) -> Problem {
        if self.written == 0 { error.into() } else { error.of_later_step().into() }
    }

    fn reject(&mut self, line: usize, problem: &Problem) {
        self.rejected.push(RejectedRow {
            line,
            code: problem.code().as_str(),
            detail: problem.detail().to_owned(),
            errors: problem.errors().to_vec(),
        });
    }
}
