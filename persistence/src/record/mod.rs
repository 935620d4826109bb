//! The durable binary form of changes and images, apart from the live types, so that a rule can be rewritten without
//! touching what lies on disk.
//!
//! Every record says its version. `v1` is protobuf's wire format; its rules of growth are protobuf's: a tag is never
//! reused or given another type, and a new field must be safe to ignore for a program that does not know it. What is
//! not safe to ignore is a new variant of a `oneof` (an older program refuses it), or else a `v2`.

mod frame;
mod json;
pub mod peer;
mod v1;

use smartcart_engine::commit::{CartImage, Change, StockImage};

pub use frame::{EntryName, decode_entry, encode_entry};
pub(crate) use json::{
    decode_attributes, decode_history, decode_images, decode_lines, decode_prices, encode_attributes,
    encode_history, encode_images, encode_lines, encode_prices,
};

/// Bytes that are not a record this program can read. Never skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it is not a record of this shop")]
    Foreign,
    #[error("record version {0} is not known to this program: a newer one wrote it")]
    Version(u8),
    #[error("it is torn: {0} bytes")]
    Torn(usize),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it belongs to another place: entry {sequence} of lane {lane} of journal {incarnation}")]
    Misplaced { incarnation: smartcart_engine::id::IncarnationId, lane: u16, sequence: u64 },
    #[error("it does not decode: {0}")]
    Undecodable(String),
    #[error("{0} is missing, or of a kind this program does not know")]
    Missing(&'static str),
    #[error("{what}: {reason}")]
    Invalid { what: &'static str, reason: String },
}

impl Malformed {
    fn invalid(what: &'static str, reason: &impl ToString) -> Self {
        Self::Invalid { what, reason: reason.to_string() }
    }
}

impl From<prost::DecodeError> for Malformed {
    fn from(error: prost::DecodeError) -> Self {
        Self::Undecodable(error.to_string())
    }
}

/// The first byte of an image or of changes in a table.
const V1: u8 = 1;

/// With the feature `next`, every record has a field that this version does not know, as the next version's may: a fleet
/// of both must work.
fn grow(record: &mut Vec<u8>) {
    // Field 2047, a varint: 1.
    const NEW_FIELD: [u8; 3] = [0xf8, 0x7f, 1];
    if cfg!(feature = "next") {
        record.extend_from_slice(&NEW_FIELD);
    }
}

fn versioned(record: &impl prost::Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + record.encoded_len());
    bytes.push(V1);
    record.encode_raw(&mut bytes);
    grow(&mut bytes);
    bytes
}

fn unversioned<R: prost::Message + Default>(bytes: &[u8]) -> Result<R, Malformed> {
    match bytes.split_first() {
        Some((&V1, record)) => Ok(R::decode(record)?),
        Some((&version, _)) => Err(Malformed::Version(version)),
        None => Err(Malformed::Torn(0)),
    }
}

pub fn encode_cart_image(image: &CartImage) -> Vec<u8> {
    versioned(&v1::CartImage::from(image))
}

pub fn decode_cart_image(bytes: &[u8]) -> Result<CartImage, Malformed> {
    unversioned::<v1::CartImage>(bytes)?.try_into()
}

pub fn encode_stock_image(image: &StockImage) -> Vec<u8> {
    versioned(&v1::StockImage::from(image))
}

pub fn decode_stock_image(bytes: &[u8]) -> Result<StockImage, Malformed> {
    unversioned::<v1::StockImage>(bytes)?.try_into()
}

/// Some changes of one entity, in order.
pub fn encode_changes(changes: &[Change]) -> Vec<u8> {
    versioned(&v1::Changes { changes: changes.iter().map(Into::into).collect() })
}

pub fn decode_changes(bytes: &[u8]) -> Result<Vec<Change>, Malformed> {
    unversioned::<v1::Changes>(bytes)?.changes.into_iter().map(TryInto::try_into).collect()
}
