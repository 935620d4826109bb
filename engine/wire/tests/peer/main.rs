//! Messages between pods: what the version before sends is read here, and what this one sends is, byte for byte, what that
//! one would have sent. The samples were written by the program before its protocol moved into this crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use smartcart_domain::{
    cart::CartRejection,
    catalog::Catalog,
    checkout::{AbortReason, ChangedPrices, PriceChange, TotalChange, Withdrawn},
    id::{OrderId, Sku},
    peer::{PeerReply, PeerRequest},
    request::{CheckoutRejection, RequestError},
};
use smartcart_wire::peer::{decode_reply, decode_request, encode_reply, encode_request};

fn samples(prefix: &str) -> Vec<(&'static str, Vec<u8>)> {
    let byte = |at: &[u8]| u8::from_str_radix(std::str::from_utf8(at).unwrap(), 16).unwrap();
    include_str!("golden/v1.txt")
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, hex)| (name, hex.as_bytes().chunks(2).map(byte).collect()))
        .collect()
}

#[test]
fn requests_of_the_version_before_are_read_and_written_alike() {
    let catalog = Arc::new(Catalog::new(1, []));
    let samples = samples("request_");
    assert_eq!(samples.len(), 23);
    for (name, bytes) in samples {
        let request = decode_request(&bytes, &catalog).unwrap();
        assert_eq!(encode_request(&request), Some(bytes), "{name}: {request:?}");
    }
}

#[test]
fn replies_of_the_version_before_are_read_and_written_alike() {
    let samples = samples("reply_");
    assert_eq!(samples.len(), 21);
    for (name, bytes) in samples {
        let reply = decode_reply(&bytes).unwrap();
        assert_eq!(encode_reply(&reply), bytes, "{name}: {reply:?}");
    }
}

#[test]
fn what_a_version_before_called_any_price_is_read_as_no_agreement() {
    let catalog = Arc::new(Catalog::new(1, []));
    for (name, bytes) in samples("retired_request_checkout") {
        let PeerRequest::Checkout(request) = decode_request(&bytes, &catalog).unwrap() else {
            panic!("{name}")
        };
        assert_eq!(request.expected_total, None, "{name}");
    }
}

#[test]
fn what_is_new_reads_as_what_it_says() {
    let rejection = |name: &str| {
        let (_, bytes) = samples(name).into_iter().find(|(found, _)| *found == name).unwrap();
        let PeerReply::Checkout(Err(RequestError::Rejected(rejection))) = decode_reply(&bytes).unwrap()
        else {
            panic!("{name}")
        };
        rejection
    };
    let sku: Sku = "85123A".parse().unwrap();
    let cart = CheckoutRejection::Cart;
    let withdrawn = vec![Withdrawn { sku: sku.clone(), was: 295 }];
    assert_eq!(rejection("reply_price_changed"), cart(CartRejection::ProductUnavailable(withdrawn)));
    let changed = ChangedPrices {
        changes: vec![PriceChange { sku, was: 295, now: 300 }],
        total: TotalChange { currency: "GBP".parse().unwrap(), was: 295, now: 300 },
    };
    let changed = CartRejection::PriceChanged(Box::new(changed));
    assert_eq!(rejection("reply_price_changed_in_all"), cart(changed));
    let ordered = CartRejection::CartOrdered { order: OrderId(5) };
    assert_eq!(rejection("reply_cart_ordered"), cart(ordered));
    let declined = AbortReason::PaymentDeclined { reason: "no".to_owned() };
    let again = CheckoutRejection::Aborted { reason: declined, replayed: true };
    assert_eq!(rejection("reply_refused_again"), again);
    let unavailable = AbortReason::PaymentUnavailable { reason: "no".to_owned() };
    let unavailable = CheckoutRejection::Aborted { reason: unavailable, replayed: false };
    assert_eq!(rejection("reply_payment_unavailable"), unavailable);
}

/// The version after this one may add a field: field 2047, a varint.
const UNKNOWN_FIELD: [u8; 3] = [0xf8, 0x7f, 1];

#[test]
fn a_field_of_the_version_after_is_passed_over() {
    let catalog = Arc::new(Catalog::new(1, []));
    let grown = |bytes: &[u8]| [bytes, &UNKNOWN_FIELD].concat();
    for (name, bytes) in samples("request_") {
        let request = decode_request(&grown(&bytes), &catalog).unwrap();
        assert_eq!(encode_request(&request), Some(bytes), "{name}: {request:?}");
    }
    for (name, bytes) in samples("reply_") {
        let reply = decode_reply(&grown(&bytes)).unwrap();
        assert_eq!(encode_reply(&reply), bytes, "{name}: {reply:?}");
    }
}

#[test]
fn garbage_is_an_error_not_a_panic() {
    let catalog = Arc::new(Catalog::new(1, []));
    for (name, bytes) in samples("") {
        for end in 1..bytes.len() {
            let _decoded = (decode_request(&bytes[..end], &catalog), decode_reply(&bytes[..end]), name);
        }
    }
    assert!(decode_request(&[0xff], &catalog).is_err());
    assert!(decode_reply(&[]).is_err());
}
