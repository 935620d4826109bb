use serde::Serialize;
use utoipa::ToSchema;

/// What is wrong with a field, by a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldCode {
    /// It must be there.
    Missing,
    /// There is no such field.
    Unknown,
    /// A text where a number must be, and the like; also `null` where nothing may be left out.
    WrongType,
    /// A number that is too small or too large.
    OutOfRange,
    /// A text or a list that is too short.
    TooShort,
    /// A text or a list that is too long.
    TooLong,
    /// It has the right type, and is none of what is taken.
    Invalid,
    /// A text with a character that none may have.
    ForbiddenCharacter,
    /// It stands twice where it may stand once.
    Repeated,
}

/// One invalid field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it stands: a JSON Pointer (RFC 6901) into the body; of a query, `/` and the parameter's name.
    #[schema(example = "/variants/0/prices/1/amount")]
    pub pointer: String,
    pub code: FieldCode,
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, code: FieldCode, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}
