//! The byte that says which version a record has.

use crate::{malformed::Malformed, next_version};

/// The first byte of a snapshot or of changes in a table.
pub(crate) const V1: u8 = 1;

/// In the next version, every record has a field that this version does not know, as the next version's may: a fleet
/// of both must work.
pub(crate) fn grow(record: &mut Vec<u8>) {
    // Field 2047, a varint: 1.
    const NEW_FIELD: [u8; 3] = [0xf8, 0x7f, 1];
    if next_version::is_simulated() {
        record.extend_from_slice(&NEW_FIELD);
    }
}

pub(crate) fn versioned(record: &impl prost::Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + record.encoded_len());
    bytes.push(V1);
    record.encode_raw(&mut bytes);
    grow(&mut bytes);
    bytes
}

pub(crate) fn unversioned<R: prost::Message + Default>(bytes: &[u8]) -> Result<R, Malformed> {
    match bytes.split_first() {
        Some((&V1, record)) => Ok(R::decode(record)?),
        Some((&version, _)) => Err(Malformed::Version(version)),
        None => Err(Malformed::Torn(0)),
    }
}
