//! The messages between pods. Requests and replies travel as the records' own bytes.

/// Where the gRPC methods are.
pub(crate) const ASK: &str = "/smartcart.peer.v1.Peers/Ask";
pub(crate) const PROBE: &str = "/smartcart.peer.v1.Peers/Probe";

/// A signed message. Without a shared secret the signature is empty.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SignedMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) body: bytes::Bytes,
    /// Milliseconds of shop time.
    #[prost(int64, tag = "2")]
    pub(crate) at: i64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) signature: bytes::Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Batch {
    #[prost(message, repeated, tag = "1")]
    pub(crate) calls: Vec<Call>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Call {
    /// Unique in its batch.
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) request: bytes::Bytes,
    /// At which the sender believes the receiver owns the shard.
    #[prost(uint64, tag = "3")]
    pub(crate) epoch: u64,
    #[prost(uint32, tag = "4")]
    pub(crate) hops: u32,
    /// What is left of the sender's deadline.
    #[prost(uint64, tag = "5")]
    pub(crate) patience_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answers {
    #[prost(message, repeated, tag = "1")]
    pub(crate) answers: Vec<Answer>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(oneof = "Said", tags = "2, 3, 4")]
    pub(crate) said: Option<Said>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Said {
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
pub(crate) struct Probe {
    #[prost(string, tag = "1")]
    pub(crate) asker: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ProbeResponse {
    #[prost(string, tag = "1")]
    pub(crate) incarnation: String,
    #[prost(bool, tag = "2")]
    pub(crate) sees_registry: bool,
    #[prost(bool, tag = "3")]
    pub(crate) knows_asker: bool,
}
