//! Metrics and the deadline of each route, and whether its handler is a task of its own. The metric handles are made once.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::Request,
    handler::Handler,
    http::{HeaderValue, Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use metrics::{Counter, Histogram, counter, histogram};
use smartcart_engine::deadline::Alarm;
use tokio::time::Instant;

use crate::{
    app_state::AppState,
    cache_control,
    changes::Attended,
    problem::{Code, Problem},
};

/// Statuses whose counters are kept, not looked up for each answer.
const FREQUENT: [StatusCode; 8] = [
    StatusCode::OK,
    StatusCode::CREATED,
    StatusCode::NO_CONTENT,
    StatusCode::NOT_MODIFIED,
    StatusCode::NOT_FOUND,
    StatusCode::CONFLICT,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Counts and times one endpoint's requests, and answers those that pass the deadline.
#[derive(Debug, Clone)]
pub struct Observe(Arc<Endpoint>);

#[derive(Debug)]
struct Endpoint {
    method: Method,
    route: &'static str,
    deadline: Duration,
    runs: Runs,
    cache_control: HeaderValue,
    duration: Histogram,
    frequent: [OnceLock<Counter>; FREQUENT.len()],
}

/// What becomes of an endpoint's handler when its client leaves, or its answer takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// It is dropped where it stands: it changes nothing, or what it changes lies with others who finish it.
    WithItsClient,
    /// It goes on to its end, in a task of its own.
    ToItsEnd,
}

impl Observe {
    pub fn new(method: Method, route: &'static str, deadline: Duration, runs: Runs) -> Self {
        let duration = histogram!(
            "smartcart_http_request_duration_seconds",
            "route" => route, "method" => method.as_str().to_owned()
        );
        let cache_control = cache_control::of(&method, route);
        let frequent = Default::default();
        Self(Arc::new(Endpoint { method, route, deadline, runs, cache_control, duration, frequent }))
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
        match FREQUENT.iter().position(|frequent| *frequent == status) {
            Some(index) => {
                self.frequent[index]
                    .get_or_init(|| counter_of(self.route, &self.method, status))
                    .increment(1);
            }
            None => counter_of(self.route, &self.method, status).increment(1),
        }
    }
}

impl Observe {
    /// Wraps the endpoint's handler. A layer would do, but axum boxes and copies each request for it, which took a tenth of a
    /// read's time.
    pub fn handler<H>(self, handler: H) -> Observed<H> {
        Observed { endpoint: self.0, handler }
    }
}

#[derive(Debug, Clone)]
pub struct Observed<H> {
    endpoint: Arc<Endpoint>,
    handler: H,
}

impl<T, H: Handler<T, Arc<AppState>, Future: Unpin>> Handler<T, Arc<AppState>> for Observed<H> {
    type Future = Observing<H::Future>;

    fn call(self, request: Request, state: Arc<AppState>) -> Self::Future {
        let begun = Instant::now();
        let Self { endpoint, handler } = self;
        let too_late = Alarm::at(begun + endpoint.deadline);
        let answer = match endpoint.runs {
            Runs::WithItsClient => Answering::Here(handler.call(request, state)),
            Runs::ToItsEnd => match state.changes.clone().run(handler.call(request, state)) {
                Ok(attended) => Answering::InTask(attended),
                Err(problem) => Answering::Refused(Some(problem)),
            },
        };
        Observing { answer, too_late, begun, endpoint }
    }
}

#[derive(Debug)]
enum Answering<F> {
    Here(F),
    InTask(Attended),
    /// Taken by the first poll, which is the only one.
    Refused(Option<Problem>),
}

impl<F: Future<Output = Response> + Unpin> Answering<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Response> {
        match self {
            Self::Here(answer) => Pin::new(answer).poll(context),
            Self::InTask(answer) => Pin::new(answer).poll(context),
            Self::Refused(problem) => match problem.take() {
                Some(problem) => Poll::Ready(problem.into_response()),
                None => Poll::Pending,
            },
        }
    }
}

#[derive(Debug)]
pub struct Observing<F> {
    answer: Answering<F>,
    too_late: Alarm,
    begun: Instant,
    endpoint: Arc<Endpoint>,
}

impl<F: Future<Output = Response> + Unpin> Future for Observing<F> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let mut response = match self.answer.poll(context) {
            Poll::Ready(response) => response,
            Poll::Pending => {
                ready!(Pin::new(&mut self.too_late).poll(context));
                Problem::plain(Code::DeadlineExceeded).into_response()
            }
        };
        cache_control::say(response.headers_mut(), &self.endpoint.cache_control);
        self.endpoint.record(response.status(), self.begun.elapsed());
        Poll::Ready(response)
    }
}
