//! Messages between pods: what the version before sends is read here, and what this one sends is, byte for byte, what that
//! one would have sent. The samples were written by the program before its protocol moved into this crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use smartcart_domain::catalog::Catalog;
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
    assert_eq!(samples.len(), 21);
    for (name, bytes) in samples {
        let request = decode_request(&bytes, &catalog).unwrap();
        assert_eq!(encode_request(&request), Some(bytes), "{name}: {request:?}");
    }
}

#[test]
fn replies_of_the_version_before_are_read_and_written_alike() {
    let samples = samples("reply_");
    assert_eq!(samples.len(), 17);
    for (name, bytes) in samples {
        let reply = decode_reply(&bytes).unwrap();
        assert_eq!(encode_reply(&reply), bytes, "{name}: {reply:?}");
    }
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
