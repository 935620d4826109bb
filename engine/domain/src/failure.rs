//! What a failure says of the change that was asked for. Every port's error carries it.

/// What a failed operation has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing was done.
    NotApplied,
    /// It may have been done or not: the same request with the same key finds out.
    Indeterminate,
    /// Nothing was done, and this incarnation can do nothing any more: it was declared dead.
    Fenced,
}
