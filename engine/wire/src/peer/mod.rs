//! What pods ask and answer each other, in protobuf's wire format. Its rules of growth are those of the records, because
//! in a rolling deploy a pod talks to the version before and to the version after its own.

mod rejection;
mod reply;
mod request;

use std::sync::Arc;

use prost::Message as _;
use smartcart_domain::{
    catalog::Catalog,
    peer::{PeerReply, PeerRequest},
};

use crate::malformed::Malformed;
use crate::version::grow;

/// Raised when a pod must not talk to one that speaks a lower version.
pub const PROTOCOL: u32 = 1;

fn grown(message: &impl prost::Message) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    grow(&mut bytes);
    bytes
}

/// A request, unless it is one of those that only a pod's own engine asks.
pub fn encode_request(request: &PeerRequest) -> Option<Vec<u8>> {
    request::PeerRequest::of(request).map(|request| grown(&request))
}

/// A request as the receiver's engine takes it, with its own catalogue.
pub fn decode_request(bytes: &[u8], catalog: &Arc<Catalog>) -> Result<PeerRequest, Malformed> {
    request::PeerRequest::decode(bytes)?.live(catalog)
}

pub fn encode_reply(reply: &PeerReply) -> Vec<u8> {
    grown(&reply::Reply::from(reply))
}

pub fn decode_reply(bytes: &[u8]) -> Result<PeerReply, Malformed> {
    reply::Reply::decode(bytes)?.try_into()
}
