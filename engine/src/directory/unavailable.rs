//! Why an entity is unavailable here.

use smartcart_domain::request::{ReadError, RequestError};

pub(super) fn not_confirmed() -> ReadError {
    ReadError("whether the cart or SKU is still here is not known".to_owned())
}

/// Why an entity cannot be brought into memory here.
#[derive(Debug)]
pub(super) enum LoadError {
    /// Its shard has left this pod.
    Moved,
    Unreadable(ReadError),
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error)
    }
}

impl<R> From<LoadError> for RequestError<R> {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Moved => Self::NotOwner,
            LoadError::Unreadable(error) => error.into(),
        }
    }
}
