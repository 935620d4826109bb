//! The way to the pod that owns the shard fails.

use std::sync::Arc;

use serde_json::json;
use smartcart_engine::payment::InvoiceGateway;
use smartcart_testkit::memory::PeerFault;

use crate::shop::{Shop, adjustment};

#[tokio::test(start_paused = true)]
async fn what_did_not_leave_is_unavailable_and_what_was_not_answered_is_unknown() {
    let (_shop, a, b) = Shop::open_two(Arc::new(InvoiceGateway)).await;
    // Whoever does not own the SKU's shard asks the other.
    let asker = if a.owns("MUG") { &b } else { &a };
    let ends = [
        (PeerFault::DropRequest, "outcome_unknown", 100),
        (PeerFault::DropAnswer, "outcome_unknown", 108),
        (PeerFault::BreakConnection, "outcome_unknown", 116),
    ];
    for (fault, code, now) in ends {
        asker.peers.faults().inject([fault]);
        asker.send(adjustment(&format!("{fault:?}"))).await.is(503, code);
        assert_eq!(asker.on_hand().await, json!(now), "{fault:?}");
    }
    // Refused as often as it is asked.
    asker.peers.faults().inject([PeerFault::Refuse; 64]);
    asker.send(adjustment("refused")).await.is(503, "unavailable");
    asker.peers.faults().calm();
    assert_eq!(asker.on_hand().await, json!(116));
}
