//! What pods ask and answer each other, in protobuf's wire format. Its rules of growth are those of the records, because
//! in a rolling deploy a pod talks to the version before and to the version after its own.

mod question;
mod rejection;
mod reply;

use std::sync::Arc;

use prost::Message as _;
use smartcart_engine::{
    catalog::Catalog,
    peers::{Question, Reply},
};

use super::{Malformed, grow};

/// Raised when a pod must not talk to one that speaks a lower version.
pub const PROTOCOL: u32 = 1;

fn grown(message: &impl prost::Message) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    grow(&mut bytes);
    bytes
}

/// A question, unless it is one of those that only a pod's own engine asks.
pub fn encode_question(question: &Question) -> Option<Vec<u8>> {
    question::Question::of(question).map(|question| grown(&question))
}

/// A question as the receiver's engine takes it, with its own catalogue.
pub fn decode_question(bytes: &[u8], catalog: &Arc<Catalog>) -> Result<Question, Malformed> {
    question::Question::decode(bytes)?.live(catalog)
}

pub fn encode_reply(reply: &Reply) -> Vec<u8> {
    grown(&reply::Reply::from(reply))
}

pub fn decode_reply(bytes: &[u8]) -> Result<Reply, Malformed> {
    reply::Reply::decode(bytes)?.try_into()
}
