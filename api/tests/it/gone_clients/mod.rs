//! Clients that go away in the middle of a change: at every await of every operation of the OpenAPI document that changes
//! something. What was begun is then whole: memory says what the tables say, and so does a retry with the key.

mod cases;
mod storefront;

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use axum::Router;
use serde_json::Value;
use smartcart_api::{app::App, router, target::Target};
use tower::ServiceExt as _;

use self::{
    cases::{Case, prepare, variants},
    storefront::Storefront,
};
use crate::support::{
    Answer, Client, Request, TestShop,
    fleet::{Fleet, TOKEN},
};

/// No change waits this often.
const MOST_POLLS: usize = 100;

/// Every operation of the document that is no read.
fn changing_operations() -> Vec<String> {
    let (_, description) = router::api(Duration::from_secs(1), Target::All);
    let description = serde_json::to_value(description).unwrap();
    let paths = description["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|operations| operations.as_object().unwrap());
    let changing = operations.filter(|(method, _)| *method != "get");
    changing.map(|(_, operation)| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

/// When a client is gone that has been told nothing yet.
#[derive(Debug, Clone, Copy)]
enum Gone {
    AtOnce,
    /// The server notices later, when what it waited for has come.
    Late,
}

/// Sends a request, and lets go of it when it was polled this often without an answer.
async fn gone_after(polls: usize, gone: Gone, service: Router, request: &Request) -> Option<Answer> {
    let mut answer = pin!(service.oneshot(request.http()));
    let mut left = polls;
    let response = poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(Ok(response)) => Poll::Ready(Some(response)),
        Poll::Pending if left > 1 => {
            left -= 1;
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(None),
    });
    match (response.await, gone) {
        (Some(response), _) => Some(Answer::read(response).await),
        (None, Gone::AtOnce) => None,
        (None, Gone::Late) => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            None
        }
    }
}

/// Waits until nothing is under way.
async fn settled(app: &App) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let status = Client::connect(app.ops).await.send(Request::new("GET", "/ops/api/status")).await.json();
        let engine = &status["engine"];
        let under_way =
            [&status["changes_under_way"], &engine["requests_in_flight"], &engine["checkouts_under_way"]];
        if under_way.iter().all(|count| count.as_u64() == Some(0)) {
            return;
        }
        assert!(Instant::now() < end, "something is under way for ever: {status}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What can be read, but for the moments that are reckoned anew for each answer.
async fn look(shop: Storefront<'_>, view: &Request) -> (u16, Value) {
    let answer = shop.send(view.clone()).await;
    let mut body = answer.json();
    without_moments(&mut body);
    (answer.status, body)
}

fn without_moments(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("expires_at");
            fields.values_mut().for_each(without_moments);
        }
        Value::Array(items) => items.iter_mut().for_each(without_moments),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Everything that clients left behind, and what was found wrong with it.
#[derive(Default)]
struct Findings {
    seen: Vec<Seen>,
    wrong: Vec<String>,
}

/// What was seen of a case before the restart.
struct Seen {
    name: String,
    case: Case,
    retried: bool,
    views: Vec<(u16, Value)>,
}

impl Findings {
    /// One operation, with clients that leave earlier and later, until one of them is answered.
    async fn leave_at_every_await(
        &mut self,
        shop: Storefront<'_>,
        operation: &str,
        variant: &str,
        (gone, retried): (Gone, bool),
    ) {
        for polls in 1..=MOST_POLLS {
            let again = if retried { "-again" } else { "" };
            let name = format!("{operation}-{variant}-{gone:?}-{polls}{again}");
            let case = prepare(shop, operation, variant, &name).await;
            settled(shop.app).await;
            let answer = gone_after(polls, gone, shop.app.service(), &case.request).await;
            settled(shop.app).await;
            self.must_be_answered(&name, &case, answer.as_ref());
            if retried {
                let again = shop.send(case.request.clone()).await;
                self.must_be_answered(&name, &case, Some(&again));
                settled(shop.app).await;
            }
            let mut views = Vec::new();
            for view in &case.views {
                views.push(look(shop, view).await);
            }
            self.seen.push(Seen { name, case, retried, views });
            if answer.is_some() {
                return;
            }
        }
        panic!("{operation} has not answered after {MOST_POLLS} polls");
    }

    fn must_be_answered(&mut self, name: &str, case: &Case, answer: Option<&Answer>) {
        if let Some(answer) = answer.filter(|answer| answer.status != case.status) {
            let body = String::from_utf8_lossy(&answer.body);
            self.wrong.push(format!("{name}: answered {}, not {}: {body}", answer.status, case.status));
        }
    }

    /// Waits until another pod shows the same.
    async fn reach(&self, other: Storefront<'_>) {
        let end = Instant::now() + Duration::from_secs(60);
        for Seen { name, case, views, .. } in &self.seen {
            for (view, before) in case.views.iter().zip(views) {
                while look(other, view).await != *before {
                    assert!(
                        Instant::now() < end,
                        "{name}: another pod does not show {before:?} for {view:?}"
                    );
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// After a restart everything looks as before, and whoever has not tried again yet may.
    async fn compare(&mut self, shop: Storefront<'_>) {
        for Seen { name, case, retried, views } in std::mem::take(&mut self.seen) {
            for (view, before) in case.views.iter().zip(views) {
                let after = look(shop, view).await;
                if after != before {
                    self.wrong.push(format!("{name}: {view:?}\n  before: {before:?}\n  after:  {after:?}"));
                }
            }
            if !retried {
                let again = shop.send(case.request.clone()).await;
                self.must_be_answered(&name, &case, Some(&again));
            }
        }
    }
}

#[tokio::test]
async fn what_they_began_is_whole_and_a_restart_shows_the_same() {
    let shop = TestShop::open().await;
    let before = Storefront { app: &shop.app, token: &shop.token };
    let mut findings = Findings::default();
    for operation in changing_operations() {
        for variant in variants(&operation) {
            for how in [(Gone::AtOnce, false), (Gone::AtOnce, true), (Gone::Late, false), (Gone::Late, true)]
            {
                findings.leave_at_every_await(before, &operation, variant, how).await;
            }
        }
    }
    let shop = shop.reopen().await;
    findings.compare(Storefront { app: &shop.app, token: &shop.token }).await;
    let wrong = findings.wrong;
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// What lies in the tables alone, and is kept in every pod's memory.
const SEEN_BY_ALL_PODS: [&str; 6] =
    ["put_product", "delete_product", "import_products", "change_password", "end_session", "refresh_session"];

#[tokio::test(flavor = "multi_thread")]
async fn other_pods_and_one_that_joins_see_the_same() {
    let (fleet, a, b) = Fleet::of_two().await;
    let here = Storefront { app: &a.app, token: TOKEN };
    let mut findings = Findings::default();
    for operation in SEEN_BY_ALL_PODS {
        for variant in variants(operation) {
            for how in [(Gone::AtOnce, false), (Gone::Late, true)] {
                findings.leave_at_every_await(here, operation, variant, how).await;
            }
        }
    }
    findings.reach(Storefront { app: &b.app, token: TOKEN }).await;
    let c = fleet.pod("c").await;
    findings.compare(Storefront { app: &c.app, token: TOKEN }).await;
    let wrong = findings.wrong;
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
