//! What each route costs, and how long it may take. The handles are made once.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use metrics::{Counter, Histogram, counter, histogram};
use tower::{Layer, Service};

use crate::problem::{Code, Problem};

/// Answers that are counted without looking the counter up again.
const USUAL: [StatusCode; 8] = [
    StatusCode::OK,
    StatusCode::CREATED,
    StatusCode::NO_CONTENT,
    StatusCode::NOT_MODIFIED,
    StatusCode::NOT_FOUND,
    StatusCode::CONFLICT,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Counts and times one endpoint's requests, and gives up those that take too long.
#[derive(Debug, Clone)]
pub struct Observe(Arc<Endpoint>);

#[derive(Debug)]
struct Endpoint {
    method: Method,
    route: &'static str,
    deadline: Duration,
    duration: Histogram,
    usual: [OnceLock<Counter>; USUAL.len()],
}

impl Observe {
    pub fn new(method: Method, route: &'static str, deadline: Duration) -> Self {
        let duration = histogram!(
            "smartcart_http_request_duration_seconds",
            "route" => route, "method" => method.as_str().to_owned()
        );
        Self(Arc::new(Endpoint { method, route, deadline, duration, usual: Default::default() }))
    }
}

fn counter_of(route: &'static str, method: &Method, status: StatusCode) -> Counter {
    counter!(
        "smartcart_http_requests_total",
        "route" => route, "method" => method.as_str().to_owned(), "status" => status.as_str().to_owned()
    )
}

impl Endpoint {
    fn record(&self, status: StatusCode, took: Duration) {
        self.duration.record(took.as_secs_f64());
        match USUAL.iter().position(|usual| *usual == status) {
            Some(index) => {
                self.usual[index].get_or_init(|| counter_of(self.route, &self.method, status)).increment(1);
            }
            None => counter_of(self.route, &self.method, status).increment(1),
        }
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { endpoint: self.0.clone(), inner }
    }
}

#[derive(Debug, Clone)]
pub struct Observed<S> {
    endpoint: Arc<Endpoint>,
    inner: S,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let begun = Instant::now();
        let endpoint = self.endpoint.clone();
        let answer = tokio::time::timeout(endpoint.deadline, self.inner.call(request));
        Box::pin(async move {
            let response = match answer.await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(_) => Problem::plain(Code::DeadlineExceeded).into_response(),
            };
            endpoint.record(response.status(), begun.elapsed());
            Ok(response)
        })
    }
}
