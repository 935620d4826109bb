//! Why an entity is unavailable here.

use smartcart_domain::request::{ReadError, RequestError};

pub(super) fn not_confirmed() -> ReadError {
    ReadError("whether the cart or SKU is still here is not known".to_owned())
}

/// Why an entity cannot be brought into memory here.
#[derive(Debug)]
pub(super) enum NotHere {
    /// Its shard has left this pod.
    Moved,
    Unreadable(ReadError),
}

impl From<ReadError> for NotHere {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error)
    }
}

impl<R> From<NotHere> for RequestError<R> {
    fn from(not_here: NotHere) -> Self {
        match not_here {
            NotHere::Moved => Self::NotOwner,
            NotHere::Unreadable(error) => error.into(),
        }
    }
}
