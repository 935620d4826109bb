use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
};
use serde::Serialize;
use smartcart_domain::{
    catalog::{Product, slices},
    id::ProductId,
    time::Timestamp,
};
use smartcart_engine::store::{ImportedRow, StoreError};
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
/// refused. A SKU may move from one of its products to another. The same import again changes nothing. Needs a service token.
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
    let (lines, products) = read_rows(&text, state.engine.clock().wall(), &mut result);
    for slice in slices(&products, &state.engine.catalog(), SLICE) {
        let some: Vec<Product> = slice.iter().map(|index| products[*index].clone()).collect();
        let rows = state.engine.put_products(&some).await.map_err(|error| result.ended_by(error))?;
        for (row, index) in rows.into_iter().zip(slice) {
            result.add(lines[index], row);
        }
    }
    result.rejected.sort_by_key(|row| row.line);
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

/// The rows that are products, each another, and their lines.
fn read_rows(text: &[u8], now: Timestamp, result: &mut ImportView) -> (Vec<usize>, Vec<Product>) {
    // Spreadsheets begin a file with a byte order mark.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n').zip(1..);
    let (mut line_of, mut products) = (HashMap::<ProductId, usize>::new(), Vec::new());
    for (text, line) in lines.filter(|(text, _)| !text.trim_ascii().is_empty()) {
        match read_row(text, now) {
            Ok(product) => match line_of.get(&product.id) {
                None => {
                    line_of.insert(product.id.clone(), line);
                    products.push(product);
                }
                Some(first) => {
                    let detail = format!("line {first} has this product already");
                    result.reject(line, &Problem::invalid("id", FieldCode::Repeated, detail));
                }
            },
            Err(problem) => result.reject(line, &problem),
        }
    }
    (products.iter().map(|product| line_of[&product.id]).collect(), products)
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

impl ImportView {
    fn add(&mut self, line: usize, row: ImportedRow) {
        match row {
            ImportedRow::Written(_) => self.written += 1,
            ImportedRow::Unchanged => self.unchanged += 1,
            ImportedRow::Refused(conflict) => self.reject(line, &StoreError::from(conflict).into()),
        }
    }

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
