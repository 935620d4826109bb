//! The service as browsers meet it: other origins (CORS), and answers compressed where that pays.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, Request, header},
    routing::future::RouteFuture,
};
use hyper::body::Incoming;
use tower::Service;
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{NotForContentType, SizeAbove},
    },
    cors::{AllowOrigin, Any, CorsLayer},
};

/// How long a browser may remember what it was allowed.
const PREFLIGHT_AGE: Duration = Duration::from_secs(60 * 60);

/// What a script of another origin may send.
const ALLOWED: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("prefer"),
];

/// What a script of another origin may read.
const EXPOSED: [HeaderName; 9] = [
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("smartcart-durability"),
    HeaderName::from_static("smartcart-freshness"),
    HeaderName::from_static("smartcart-version"),
    HeaderName::from_static("smartcart-visibility"),
];

/// Whose scripts may use the service from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    Nobody,
    Anybody,
    These(Vec<HeaderValue>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontConfig {
    pub origins: Origins,
    /// Longer answers are compressed for a client that takes it; `None` compresses nothing.
    pub compress_above: Option<u64>,
}

/// The router, behind the layers that a request's headers ask for. Layers cost each request that passes them a tenth of a
/// read's time, so programs, which send neither `Origin` nor `Accept-Encoding`, go past them.
#[derive(Debug, Clone)]
pub struct Front {
    plain: Router,
    layered: Option<Router>,
}

impl Front {
    pub const fn plain(router: Router) -> Self {
        Self { plain: router, layered: None }
    }

    pub fn new(router: Router, config: &FrontConfig) -> Self {
        let mut layered = router.clone();
        if let Some(bytes) = config.compress_above {
            let worth_it = SizeAbove::new(bytes).and(NotForContentType::SSE);
            let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
            layered = layered.layer(compression.compress_when(worth_it));
        }
        if let Some(cors) = cors(&config.origins) {
            layered = layered.layer(cors);
        }
        Self { plain: router, layered: Some(layered) }
    }
}

fn cors(origins: &Origins) -> Option<CorsLayer> {
    let origins = match origins {
        Origins::Nobody => return None,
        Origins::Anybody => AllowOrigin::from(Any),
        Origins::These(origins) => AllowOrigin::list(origins.iter().cloned()),
    };
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(methods)
            .allow_headers(ALLOWED)
            .expose_headers(EXPOSED)
            .max_age(PREFLIGHT_AGE),
    )
}

impl Service<Request<Incoming>> for Front {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let headers = request.headers();
        let asks = headers.contains_key(header::ACCEPT_ENCODING) || headers.contains_key(header::ORIGIN);
        match &mut self.layered {
            Some(layered) if asks => layered.call(request),
            Some(_) | None => self.plain.call(request),
        }
    }
}
