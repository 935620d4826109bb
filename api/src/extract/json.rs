use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use smartcart_domain::limits::METADATA_DEPTH;
use utoipa::ToSchema;

use super::payload::Payload;
use crate::problem::{Code, Problem};

/// A JSON body. Its type refuses unknown fields, so nothing nests deeper than the type does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send> Payload for Json<T> {
    const READS_BODY: bool = true;

    fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Problem> {
        must_be_json(headers)?;
        parse(body).map(Self)
    }
}

/// No body at all is `None`, and so is `null`.
impl<T: DeserializeOwned + Send> Payload for Option<Json<T>> {
    const READS_BODY: bool = true;

    fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(None);
        }
        must_be_json(headers)?;
        Ok(parse::<Option<T>>(body)?.map(Json))
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
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|error| explain::<T>(text, &error))
}

#[cold]
fn explain<T: DeserializeOwned>(text: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return Problem::new(Code::MalformedJson, error.to_string());
    }
    let mut again = serde_json::Deserializer::from_slice(text);
    let detail = match serde_path_to_error::deserialize::<_, T>(&mut again) {
        Err(found) if found.path().iter().next().is_some() => format!("{}: {}", found.path(), found.inner()),
        _ => error.to_string(),
    };
    Problem::new(Code::InvalidBody, detail)
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

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        lines: Vec<Line>,
        metadata: Option<JsonObject>,
    }

    #[derive(Debug, Deserialize)]
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
