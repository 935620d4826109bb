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

/// Something that was needed has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    pub effect: Effect,
    /// For logs and for the client.
    pub reason: String,
}

impl Failure {
    pub fn not_applied(reason: impl Into<String>) -> Self {
        Self { effect: Effect::NotApplied, reason: reason.into() }
    }

    pub fn indeterminate(reason: impl Into<String>) -> Self {
        Self { effect: Effect::Indeterminate, reason: reason.into() }
    }

    pub fn fenced() -> Self {
        let reason = "this incarnation was declared dead: it must start again as a new one".to_owned();
        Self { effect: Effect::Fenced, reason }
    }

    /// As a failure of the whole, one of whose steps had been done before this one failed: nobody can say any more that
    /// nothing was done.
    #[must_use]
    pub fn of_later_step(self) -> Self {
        Self { effect: Effect::Indeterminate, ..self }
    }

    /// As a failure of something that only reads: there was nothing that could have been applied.
    #[must_use]
    pub fn of_read(self) -> Self {
        Self { effect: Effect::NotApplied, ..self }
    }

    pub const fn is_fenced(&self) -> bool {
        matches!(self.effect, Effect::Fenced)
    }
}
