use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use serde_path_to_error::Segment;
use smartcart_domain::limits::METADATA_DEPTH;
use utoipa::ToSchema;

use super::{
    description::{Description, escaped},
    payload::Payload,
    text::has_escaped_nul,
};
use crate::problem::{Code, FieldCode, FieldError, Problem};

/// A JSON body. Its type refuses unknown fields, so nothing nests deeper than the type does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + ToSchema + Send + 'static> Payload for Json<T> {
    const READS_BODY: bool = true;

    fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Problem> {
        must_be_json(headers)?;
        parse(body).map(Self)
    }
}

/// No body at all is `None`, and so is `null`.
impl<T: DeserializeOwned + ToSchema + Send + 'static> Payload for Option<Json<T>> {
    const READS_BODY: bool = true;

    fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(None);
        }
        must_be_json(headers)?;
        if body.trim_ascii() == b"null" {
            return Ok(None);
        }
        parse(body).map(|body| Some(Json(body)))
    }
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "this call takes application/json"))
}

/// Reads JSON. Only a failure looks for where it is.
pub fn parse<T: DeserializeOwned + ToSchema + 'static>(text: &[u8]) -> Result<T, Problem> {
    match serde_json::from_slice(text) {
        Ok(read) if !has_escaped_nul(text) => Ok(read),
        Ok(_) | Err(_) => Err(explain::<T>(text)),
    }
}

#[cold]
fn explain<T: DeserializeOwned + ToSchema + 'static>(text: &[u8]) -> Problem {
    let value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return Problem::new(Code::MalformedJson, error.to_string()),
    };
    let mut errors = Description::of::<T>().violations(&value);
    let mut again = serde_json::Deserializer::from_slice(text);
    let detail = match serde_path_to_error::deserialize::<_, T>(&mut again) {
        Err(found) => {
            let pointer = pointer(found.path());
            // What the description does not express: a field twice, a depth, a currency that there is not.
            if !errors.iter().any(|error| error.pointer.starts_with(&pointer)) {
                let detail = found.inner().to_string();
                errors.push(FieldError { pointer, code: FieldCode::Invalid, detail });
            }
            let is_of_a_field = found.path().iter().next().is_some();
            if is_of_a_field {
                format!("{}: {}", found.path(), found.inner())
            } else {
                found.inner().to_string()
            }
        }
        Ok(_) => errors.first().map(|error| error.detail.clone()).unwrap_or_default(),
    };
    errors.into_iter().fold(Problem::new(Code::InvalidBody, detail), Problem::at)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&escaped(key)),
            Segment::Enum { variant } => pointer.push_str(&escaped(variant)),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// A JSON object that the shop keeps and gives back as it came: metadata, an address.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = Object)]
pub struct JsonObject(Box<RawValue>);

impl JsonObject {
    pub fn text(&self) -> &str {
        self.0.get()
    }

    pub fn into_text(self) -> Box<str> {
        self.0.into()
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Err(serde::de::Error::custom("it must be a JSON object"));
        }
        if depth(raw.get()) > METADATA_DEPTH {
            return Err(serde::de::Error::custom(format!("it nests deeper than {METADATA_DEPTH} levels")));
        }
        // Whatever was kept must be readable by everybody: no number or text that other parsers refuse.
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(raw.get())
            .map_err(serde::de::Error::custom)?;
        Ok(Self(raw))
    }
}

/// The levels of nesting of a JSON text.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        lines: Vec<Line>,
        metadata: Option<JsonObject>,
    }

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "only its type matters here")]
        quantity: u32,
    }

    #[test]
    fn a_failure_names_its_place() {
        let problem = parse::<Sample>(br#"{"lines": [{"quantity": 1}, {"quantity": -1}]}"#).unwrap_err();
        assert_eq!(problem.code(), Code::InvalidBody);
        assert!(problem.detail().starts_with("lines[1].quantity: "), "{}", problem.detail());
    }

    #[test]
    fn every_failure_is_named_at_once() {
        let text = br#"{"lines": [{"quantity": -1}, {}, {"quantity": "1", "a/b": 2}, {"quantity": 5000000000}], "metadata": 7}"#;
        let problem = parse::<Sample>(text).unwrap_err();
        let mut errors: Vec<_> =
            problem.errors().iter().map(|error| (error.pointer.as_str(), error.code)).collect();
        errors.sort_by_key(|(pointer, _)| *pointer);
        assert_eq!(
            errors,
            [
                ("/lines/0/quantity", FieldCode::OutOfRange),
                ("/lines/1/quantity", FieldCode::Missing),
                ("/lines/2/a~1b", FieldCode::Unknown),
                ("/lines/2/quantity", FieldCode::WrongType),
                ("/lines/3/quantity", FieldCode::OutOfRange),
                ("/metadata", FieldCode::WrongType),
            ]
        );
    }

    #[test]
    fn what_only_serde_knows_is_named_too() {
        let of = |text: &str| parse::<Sample>(text.as_bytes()).unwrap_err().errors().to_vec();
        let twice = of(r#"{"lines": [{"quantity": 1, "quantity": 2}]}"#);
        assert_eq!((twice[0].pointer.as_str(), twice[0].code), ("/lines/0", FieldCode::Invalid));
        let nul = of(r#"{"metadata": {"a": ["b\u0000"], "c\u0000": 1}}"#);
        assert!(nul.iter().all(|error| error.code == FieldCode::ForbiddenCharacter), "{nul:?}");
        assert_eq!(nul[0].pointer, "/metadata/a/0");
        assert_eq!(nul.len(), 2);
    }

    #[test]
    fn brackets_within_text_are_no_depth() {
        assert_eq!(depth(r#"{"a": "[[[\"[[", "b": [1]}"#), 2);
    }

    #[test]
    fn metadata_is_an_object_of_bounded_depth() {
        let read = |metadata: &str| parse::<Sample>(format!("{{\"metadata\": {metadata}}}").as_bytes());
        assert_eq!(read(r#"{"note": "gift"}"#).unwrap().metadata.unwrap().text(), r#"{"note": "gift"}"#);
        assert!(read("[1]").is_err());
        assert!(read(&format!("{}{}", r#"{"a":"#.repeat(100), "1".to_owned() + &"}".repeat(100))).is_err());
        assert_eq!(parse::<Sample>(b"{}").unwrap().lines.len(), 0);
    }
}
