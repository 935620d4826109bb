//! The messages between pods. Questions and replies travel as the records' own bytes.

/// Where the gRPC methods are.
pub(super) const ASK: &str = "/smartcart.peer.v1.Peers/Ask";
pub(super) const PROBE: &str = "/smartcart.peer.v1.Peers/Probe";

/// A signed message. Without a shared secret the signature is empty.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Sealed {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) body: bytes::Bytes,
    /// Milliseconds of shop time.
    #[prost(int64, tag = "2")]
    pub(super) at: i64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) signature: bytes::Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Batch {
    #[prost(message, repeated, tag = "1")]
    pub(super) calls: Vec<Call>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Call {
    /// Unique in its batch.
    #[prost(uint32, tag = "1")]
    pub(super) id: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) question: bytes::Bytes,
    /// At which the sender believes the receiver owns the shard.
    #[prost(uint64, tag = "3")]
    pub(super) epoch: u64,
    #[prost(uint32, tag = "4")]
    pub(super) hops: u32,
    /// What is left of the sender's deadline.
    #[prost(uint64, tag = "5")]
    pub(super) patience_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Answers {
    #[prost(message, repeated, tag = "1")]
    pub(super) answers: Vec<Answer>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Answer {
    #[prost(uint32, tag = "1")]
    pub(super) id: u32,
    #[prost(oneof = "Said", tags = "2, 3, 4")]
    pub(super) said: Option<Said>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Said {
    #[prost(bytes = "bytes", tag = "2")]
    Reply(bytes::Bytes),
    /// The epoch that the receiver knows. Nothing was done.
    #[prost(uint64, tag = "3")]
    NotOwner(u64),
    /// It was not understood. Nothing was done.
    #[prost(string, tag = "4")]
    Refused(String),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Probe {
    #[prost(string, tag = "1")]
    pub(super) asker: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ProbeResponse {
    #[prost(string, tag = "1")]
    pub(super) incarnation: String,
    #[prost(bool, tag = "2")]
    pub(super) sees_registry: bool,
    #[prost(bool, tag = "3")]
    pub(super) knows_asker: bool,
}
