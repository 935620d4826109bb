//! A pod that can make nothing durable any more: what its log says of it, and that it is so.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use smartcart_engine::payment::InvoiceGateway;
use smartcart_testkit::memory::JournalFault;
use tokio::time::Instant;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::shop::{Pod, Shop, adjustment, call, product};

/// What was logged by this thread, which runs the whole shop.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        tracing_subscriber::fmt().with_writer(move || log.clone()).with_ansi(false).finish().set_default()
    }

    /// The one line about a fail-stop.
    fn line(&self) -> String {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("fail-stop")).collect();
        assert_eq!(lines.len(), 1, "{log}");
        lines[0].to_owned()
    }
}

/// The journal breaks under a change.
async fn break_journal(pod: &Pod) {
    pod.journal.faults().inject([JournalFault::Break]);
    pod.send(adjustment("the-last")).await.is(503, "unavailable");
    pod.engine.failed().await;
}

#[tokio::test(start_paused = true)]
async fn a_single_process_says_that_it_is_read_only_until_it_is_restarted() {
    let log = Log::default();
    let _collecting = log.collect();
    let pod = Shop::default().open_alone().await;
    break_journal(&pod).await;
    let line = log.line();
    assert!(line.contains("ERROR") && line.contains("the disk has failed"), "{line}");
    let said = "changes of carts and stock, and checkouts, are refused with 503 from now on; reads go on; mend the cause, \
                then restart this process";
    assert!(line.contains(said), "{line}");

    let line = json!({"sku": "MUG", "quantity": 1});
    let cart = format!("/v1/carts/{}", "1".repeat(32));
    for change in [
        adjustment("too-late"),
        call("POST", "/v1/carts").key("cart"),
        call("POST", format!("{cart}/items")).key("line").json(&line),
        call("POST", format!("{cart}/checkout")).key("checkout").json(&json!({"email": "ada@example.com"})),
    ] {
        pod.send(change).await.is(503, "unavailable");
    }
    assert_eq!(pod.on_hand().await, json!(100));
    // What only the tables take goes on.
    pod.send(call("PUT", "/v1/products/MUG").service().json(&product("Big mug"))).await.is(200, "");
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_a_fleet_hands_over_what_it_can() {
    let log = Log::default();
    let _collecting = log.collect();
    let (_shop, a, b) = Shop::open_two(Arc::new(InvoiceGateway)).await;
    let (broken, other) = if a.owns("MUG") { (&a, &b) } else { (&b, &a) };
    break_journal(broken).await;
    let line = log.line();
    let said = "this pod hands over the shards that it still can and exits with an error; the other pods take over what is \
                left within about 5 s of its exit; start it again";
    assert!(line.contains(said), "{line}");
    broken.engine.leave().await;
    assert_eq!(other.engine.status().shards_owned, 1024);
    other.send(adjustment("elsewhere")).await.is(200, "");
}

#[tokio::test(start_paused = true)]
async fn the_others_take_over_what_is_left_as_soon_as_the_line_says() {
    let (shop, a, b) = Shop::open_two(Arc::new(InvoiceGateway)).await;
    let (broken, other) = if a.owns("MUG") { (&a, &b) } else { (&b, &a) };
    break_journal(broken).await;
    shop.end(broken);
    let exit = Instant::now();
    while other.engine.status().shards_owned < 1024 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = exit.elapsed();
    assert!(Duration::from_secs(4) < took && took < Duration::from_secs(7), "{took:?}");
    other.send(adjustment("elsewhere")).await.is(200, "");
}
