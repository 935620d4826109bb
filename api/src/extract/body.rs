use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use smartcart_engine::deadline;
use tokio::time::Instant;

use crate::{
    limits::BodyLimit,
    problem::{Code, Problem},
};

/// The whole body. A body that came with the head, as nearly all do, is neither copied nor timed.
pub async fn read_body(headers: &HeaderMap, body: Body, limit: BodyLimit) -> Result<Bytes, Problem> {
    must_not_be_encoded(headers)?;
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > limit.bytes as u64) {
        return Err(too_large(limit));
    }
    match deadline::until(Instant::now() + limit.time, collect(body, limit)).await {
        Some(read) => read,
        None => Err(Problem::plain(Code::RequestTimeout)),
    }
}

/// What is compressed would be read as what it is not: neither its length nor its text is what it seems.
fn must_not_be_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    let encodings = headers.get_all(header::CONTENT_ENCODING);
    if encodings.iter().all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "this call takes a body without Content-Encoding"))
}

async fn collect(mut body: Body, limit: BodyLimit) -> Result<Bytes, Problem> {
    let Some(first) = next_data(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit.bytes {
        return Err(too_large(limit));
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(data) = next_data(&mut body).await? {
        if whole.len() + data.len() > limit.bytes {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Problem::new(Code::InvalidBody, format!("the body broke off: {error}")))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn too_large(limit: BodyLimit) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("a body has at most {} bytes", limit.bytes))
        .with("limit_bytes", limit.bytes)
}
