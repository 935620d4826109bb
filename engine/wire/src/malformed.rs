use smartcart_domain::id::IncarnationId;

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
    Misplaced { incarnation: IncarnationId, lane: u16, sequence: u64 },
    #[error("it does not decode: {0}")]
    Undecodable(String),
    #[error("{0} is missing, or of a kind this program does not know")]
    Missing(&'static str),
    #[error("{what}: {reason}")]
    Invalid { what: &'static str, reason: String },
}

impl Malformed {
    pub fn invalid(what: &'static str, reason: &impl ToString) -> Self {
        Self::Invalid { what, reason: reason.to_string() }
    }
}

impl From<prost::DecodeError> for Malformed {
    fn from(error: prost::DecodeError) -> Self {
        Self::Undecodable(error.to_string())
    }
}
