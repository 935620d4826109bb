//! The journal fails under a change of stock.

use serde_json::json;
use smartcart_testkit::memory::JournalFault;

use crate::shop::{Shop, adjustment};

#[tokio::test(start_paused = true)]
async fn what_the_journal_does_not_take_is_unavailable_and_what_it_may_have_taken_is_asked_again() {
    let (_shop, pod) = Shop::open().await;
    pod.journal.faults().inject([JournalFault::NotTaken]);
    pod.send(adjustment("not-taken")).await.is(503, "unavailable");
    assert_eq!(pod.on_hand().await, json!(100));
    for (fault, now) in [(JournalFault::LoseRequest, 108), (JournalFault::LoseAnswer, 116)] {
        pod.journal.faults().inject([fault]);
        pod.send(adjustment(&format!("{fault:?}"))).await.is(200, "");
        assert_eq!(pod.on_hand().await, json!(now));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_was_declared_dead_did_nothing_and_one_that_cannot_know_says_so() {
    let ends = [
        // An unknown outcome before makes the end unknown too.
        (vec![JournalFault::Seal], "unavailable"),
        (vec![JournalFault::Break], "unavailable"),
        (vec![JournalFault::LoseRequest, JournalFault::Seal], "outcome_unknown"),
        (vec![JournalFault::LoseRequest, JournalFault::Break], "outcome_unknown"),
    ];
    for (faults, code) in ends {
        let (_shop, pod) = Shop::open().await;
        pod.journal.faults().inject(faults);
        pod.send(adjustment("the-last")).await.is(503, code);
        pod.send(adjustment("too-late")).await.is(503, "unavailable");
    }
}
