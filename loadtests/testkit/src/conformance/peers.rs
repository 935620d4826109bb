//! What every way to other pods does.

use std::{sync::Arc, time::Duration};

use smartcart_domain::{
    cart::CartCommand,
    cart::CartRejection,
    failure::{Effect, Failure},
    id::CartId,
    idempotency::Caller,
    peer::{PeerReply, PeerRequest},
    request::{Request, RequestError},
};
use smartcart_engine::{
    peers::{Envelope, PeerError},
    registry::Epoch,
};

use super::backend::Pair;
use tokio::time::Instant;

fn create(cart: CartId) -> PeerRequest {
    let command = CartCommand::Create { currency: "GBP".parse().unwrap(), owner: None, metadata: None };
    PeerRequest::Cart(
        cart,
        Request { command, caller: Caller::Guest, key: None, expected: None, fresh: true },
    )
}

fn in_time(request: &PeerRequest, epoch: u64) -> Envelope<'_> {
    Envelope { request, epoch: Epoch(epoch), hops: 1, deadline: Instant::now() + Duration::from_secs(5) }
}

pub async fn a_request_is_answered_by_its_owner(pair: impl Pair) {
    let [owner, _] = pair.members();
    let cart = CartId(7);
    let reply = pair.peers().ask(owner, in_time(&create(cart), 1)).await.unwrap();
    assert!(matches!(&reply, PeerReply::Cart(Ok(changed)) if changed.view.id == cart), "{reply:?}");
    let read = pair.peers().ask(owner, in_time(&PeerRequest::ReadCart(cart), 1)).await.unwrap();
    assert!(matches!(&read, PeerReply::CartRead(Ok(Some(view))) if view.id == cart), "{read:?}");
    let absent = pair.peers().ask(owner, in_time(&PeerRequest::ReadCart(CartId(8)), 1)).await.unwrap();
    assert!(matches!(absent, PeerReply::CartRead(Ok(None))), "{absent:?}");
    // A rule's refusal is an answer like others.
    let clear = Request {
        command: CartCommand::Clear,
        caller: Caller::Guest,
        key: None,
        expected: None,
        fresh: false,
    };
    let refused = pair.peers().ask(owner, in_time(&PeerRequest::Cart(CartId(8), clear), 1)).await.unwrap();
    assert!(
        matches!(refused, PeerReply::Cart(Err(RequestError::Rejected(CartRejection::NotFound)))),
        "{refused:?}"
    );
}

pub async fn whoever_does_not_own_the_shard_says_so(pair: impl Pair) {
    let [_, other] = pair.members();
    let request = create(CartId(7));
    // It has passed as many pods as it may: it is not passed on.
    let envelope = Envelope { hops: 2, ..in_time(&request, 1) };
    let refused = pair.peers().ask(other, envelope).await;
    assert!(matches!(refused, Err(PeerError::NotOwner { epoch: Epoch(1) })), "{refused:?}");
}

pub async fn a_probe_says_whom_a_pod_knows(pair: impl Pair) {
    let [owner, other] = pair.members();
    let probed = pair.peers().probe(owner, other.incarnation).await.unwrap();
    assert_eq!(probed.incarnation, owner.incarnation);
    assert!(probed.sees_registry && probed.knows_asker);
    let stranger = smartcart_domain::id::IncarnationId(99);
    assert!(!pair.peers().probe(owner, stranger).await.unwrap().knows_asker);
    let mut nowhere = owner.clone();
    nowhere.address = "127.0.0.1:9".to_owned();
    pair.peers().probe(&nowhere, other.incarnation).await.unwrap_err();
    let unreachable = pair.peers().ask(&nowhere, in_time(&PeerRequest::ReadCart(CartId(7)), 1)).await;
    assert!(
        matches!(unreachable, Err(PeerError::Failed(Failure { effect: Effect::NotApplied, .. }))),
        "{unreachable:?}"
    );
}

pub async fn an_answer_comes_before_its_deadline_or_not_at_all(pair: impl Pair) {
    let [owner, _] = pair.members();
    let request = create(CartId(7));
    let envelope = Envelope { deadline: Instant::now(), ..in_time(&request, 1) };
    let late = pair.peers().ask(owner, envelope).await;
    assert!(matches!(late, Err(PeerError::Failed(_)) | Ok(PeerReply::Cart(_))), "{late:?}");
}

/// The values that only a pod's own engine knows have no wire form.
pub async fn an_engines_own_steps_stay_on_their_pod(pair: impl Pair) {
    let [owner, _] = pair.members();
    let settle = CartCommand::SettleCheckout { order: smartcart_domain::id::OrderId(5) };
    let request = PeerRequest::Cart(CartId(7), Request::of_engine(settle, None));
    let refused = pair.peers().ask(owner, in_time(&request, 1)).await;
    assert!(
        matches!(refused, Err(PeerError::Failed(Failure { effect: Effect::NotApplied, .. }))),
        "{refused:?}"
    );
    let [engine, _] = pair.engines();
    let _kept: &Arc<_> = engine;
}
