use axum::http::HeaderMap;
use bytes::Bytes;

use crate::problem::Problem;

/// A kind of body.
pub trait Payload: Sized + Send {
    const READS_BODY: bool;

    fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Problem>;
}

/// The call takes no body; one that comes is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nothing;

impl Payload for Nothing {
    const READS_BODY: bool = false;

    fn read(_: &HeaderMap, _: &Bytes) -> Result<Self, Problem> {
        Ok(Self)
    }
}
