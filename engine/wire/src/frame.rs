//! A journal entry's frame, integers little-endian:
//!
//! ```text
//! "SCJ" | version u8 | incarnation u128 | lane u16 | sequence u64 | record | XXH3-64 over all before it
//! ```

use prost::Message;
use smartcart_domain::{
    entry::{Entry, Lane},
    id::IncarnationId,
    time::ShopTime,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    malformed::Malformed,
    v1::change::EntryBody,
    version::{V1, grow},
};

const MAGIC: [u8; 3] = *b"SCJ";
const HEADER: usize = 3 + 1 + 16 + 2 + 8;
const CHECKSUM: usize = 8;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryName {
    pub incarnation: IncarnationId,
    pub lane: Lane,
    pub sequence: u64,
}

impl EntryName {
    pub const fn of(entry: &Entry) -> Self {
        Self { incarnation: entry.incarnation, lane: entry.lane, sequence: entry.sequence }
    }
}

pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let record = EntryBody { shop: entry.shop.0, changes: entry.changes.iter().map(Into::into).collect() };
    let mut bytes = Vec::with_capacity(HEADER + record.encoded_len() + CHECKSUM);
    bytes.extend_from_slice(&MAGIC);
    bytes.push(V1);
    bytes.extend_from_slice(&entry.incarnation.0.to_le_bytes());
    bytes.extend_from_slice(&entry.lane.0.to_le_bytes());
    bytes.extend_from_slice(&entry.sequence.to_le_bytes());
    record.encode_raw(&mut bytes);
    grow(&mut bytes);
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The entry of that name; anything else is refused.
pub fn decode_entry(bytes: &[u8], name: EntryName) -> Result<Entry, Malformed> {
    let (sealed, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(Malformed::Torn(bytes.len()))?;
    let (header, record) = sealed.split_at_checked(HEADER).ok_or(Malformed::Torn(bytes.len()))?;
    let mut header = Reader(header);
    if header.take()? != MAGIC {
        return Err(Malformed::Foreign);
    }
    if xxh3_64(sealed) != u64::from_le_bytes(*checksum) {
        return Err(Malformed::Checksum);
    }
    let [version] = header.take()?;
    if version != V1 {
        return Err(Malformed::Version(version));
    }
    let found = EntryName {
        incarnation: IncarnationId(u128::from_le_bytes(header.take()?)),
        lane: Lane(u16::from_le_bytes(header.take()?)),
        sequence: u64::from_le_bytes(header.take()?),
    };
    if found != name {
        let EntryName { incarnation, lane, sequence } = found;
        return Err(Malformed::Misplaced { incarnation, lane: lane.0, sequence });
    }
    let body = EntryBody::decode(record)?;
    let changes = body.changes.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
    let EntryName { incarnation, lane, sequence } = name;
    Ok(Entry { incarnation, lane, sequence, shop: ShopTime(body.shop), changes })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed::Torn(self.0.len()))?;
        self.0 = rest;
        Ok(*taken)
    }
}
