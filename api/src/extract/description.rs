//! What a request has that its description does not allow: all of it, where serde stops at the first. Only a request that was
//! refused is compared with its description.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use serde_json::{Map, Value};
use smartcart_domain::{
    id::{HoldId, Sku},
    money::Currency,
};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use crate::problem::{FieldCode, FieldError};

/// A type's JSON Schema, as the OpenAPI document has it.
#[derive(Debug)]
pub(super) struct Description {
    root: Value,
    named: HashMap<String, Value>,
}

/// Made once for each type: an import may have a million bad rows.
static KNOWN: LazyLock<Mutex<HashMap<TypeId, Arc<Description>>>> = LazyLock::new(Mutex::default);

impl Description {
    pub(super) fn of<T: ToSchema + 'static>() -> Arc<Self> {
        let mut known = KNOWN.lock();
        let describe = || {
            let mut named = Vec::new();
            T::schemas(&mut named);
            let named = named.into_iter().map(|(name, schema)| (name, json(&schema))).collect();
            Arc::new(Self { root: json(&T::schema()), named })
        };
        known.entry(TypeId::of::<T>()).or_insert_with(describe).clone()
    }

    pub(super) fn violations(&self, value: &Value) -> Vec<FieldError> {
        let mut walk = Walk { description: self, found: Vec::new() };
        walk.value(value, &self.root, &mut String::new());
        walk.found
    }
}

/// A schema always has a JSON form; without one, serde's own word is all that is said.
fn json(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

struct Walk<'a> {
    description: &'a Description,
    found: Vec<FieldError>,
}

impl<'a> Walk<'a> {
    fn report(&mut self, pointer: &str, code: FieldCode, detail: impl Into<String>) {
        self.found.push(FieldError { pointer: pointer.to_owned(), code, detail: detail.into() });
    }

    /// The schema that a reference names; of alternatives, the one that is not `null`.
    fn resolve(&self, mut schema: &'a Value) -> &'a Value {
        loop {
            if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
                let Some(named) = self.description.named.get(name) else { return schema };
                schema = named;
            } else if let Some(alternatives) = schema["oneOf"].as_array() {
                let Some(other) = alternatives.iter().find(|one| one["type"] != "null") else {
                    return schema;
                };
                schema = other;
            } else {
                return schema;
            }
        }
    }

    fn value(&mut self, value: &Value, schema: &'a Value, pointer: &mut String) {
        if value.is_null() && may_be_null(schema) {
            return;
        }
        let schema = self.resolve(schema);
        if !has_type(value, &schema["type"]) {
            let detail = format!("it must be {}", types(&schema["type"]));
            return self.report(pointer, FieldCode::WrongType, detail);
        }
        match value {
            Value::String(text) => self.text(text, schema, pointer),
            Value::Number(_) => {
                if let Some(detail) = out_of_range(value, schema) {
                    self.report(pointer, FieldCode::OutOfRange, detail);
                }
            }
            Value::Array(items) => {
                self.length(items.len(), schema, ("minItems", "maxItems"), pointer);
                for (index, item) in items.iter().enumerate() {
                    within(pointer, &index.to_string(), |pointer| {
                        self.value(item, &schema["items"], pointer);
                    });
                }
            }
            Value::Object(fields) => self.fields(fields, schema, pointer),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn fields(&mut self, fields: &Map<String, Value>, schema: &'a Value, pointer: &mut String) {
        let described = schema["properties"].as_object();
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                within(pointer, name, |pointer| self.report(pointer, FieldCode::Missing, "it is missing"));
            }
        }
        for (name, value) in fields {
            let of_name = described.and_then(|described| described.get(name));
            within(pointer, name, |pointer| match of_name {
                Some(schema) => self.value(value, schema, pointer),
                None if schema["additionalProperties"] == false => {
                    self.report(pointer, FieldCode::Unknown, "there is no such field");
                }
                None => {
                    if name.contains('\0') {
                        self.forbid_nul(pointer);
                    }
                    self.value(value, &schema["additionalProperties"], pointer);
                }
            });
        }
    }

    fn text(&mut self, text: &str, schema: &Value, pointer: &str) {
        self.length(text.chars().count(), schema, ("minLength", "maxLength"), pointer);
        if text.contains('\0') {
            self.forbid_nul(pointer);
        } else if let Some(allowed) = schema["enum"].as_array() {
            if !allowed.iter().any(|one| one == text) {
                let words: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
                self.report(pointer, FieldCode::Invalid, format!("it is one of {}", words.join(", ")));
            }
        } else if let Some(pattern) = schema["pattern"].as_str()
            && fits(text, pattern) == Some(false)
        {
            self.report(pointer, FieldCode::Invalid, format!("it is of the form {pattern}"));
        }
    }

    fn forbid_nul(&mut self, pointer: &str) {
        self.report(pointer, FieldCode::ForbiddenCharacter, NUL);
    }

    fn length(&mut self, length: usize, schema: &Value, (min, max): (&str, &str), pointer: &str) {
        let length = length as u64;
        if let Some(min) = schema[min].as_u64().filter(|min| length < *min) {
            self.report(pointer, FieldCode::TooShort, format!("at least {min}"));
        }
        if let Some(max) = schema[max].as_u64().filter(|max| length > *max) {
            self.report(pointer, FieldCode::TooLong, format!("at most {max}"));
        }
    }
}

pub(super) const NUL: &str = "the character U+0000 is in no text";

/// Goes into a field and comes back.
fn within(pointer: &mut String, name: &str, look: impl FnOnce(&mut String)) {
    let outside = pointer.len();
    pointer.push('/');
    pointer.push_str(&escaped(name));
    look(pointer);
    pointer.truncate(outside);
}

/// RFC 6901, section 3.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn may_be_null(schema: &Value) -> bool {
    let names_null =
        |kinds: &Value| kinds.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"));
    let alternatives = schema["oneOf"].as_array();
    names_null(&schema["type"])
        || alternatives.is_some_and(|alternatives| alternatives.iter().any(|one| one["type"] == "null"))
}

/// Whether the value is of one of the types. A schema that names none takes all.
fn has_type(value: &Value, types: &Value) -> bool {
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    match types {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn types(types: &Value) -> String {
    match types {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        kind => kind.as_str().unwrap_or_default().to_owned(),
    }
}

pub(super) fn out_of_range(value: &Value, schema: &Value) -> Option<String> {
    let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))?;
    let bound = |name| schema[name].as_i64().map(i128::from);
    if let Some(min) = bound("minimum").filter(|min| number < *min) {
        return Some(format!("at least {min}"));
    }
    // A larger one fits none of our types.
    let of_format = if schema["format"] == "int32" { i128::from(u32::MAX) } else { i128::from(u64::MAX) };
    let max = bound("maximum").unwrap_or(of_format);
    (number > max).then(|| format!("at most {max}"))
}

/// Whether a text has the form; `None` for a form that only its type knows.
fn fits(text: &str, pattern: &str) -> Option<bool> {
    Some(match pattern {
        "^[A-Z]{3}$" => text.parse::<Currency>().is_ok(),
        "^[A-Za-z0-9._-]{1,64}$" => text.parse::<Sku>().is_ok(),
        "^[0-9a-f]{32}$" => text.parse::<HoldId>().is_ok(),
        _ => return None,
    })
}
