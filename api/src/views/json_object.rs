use serde_json::value::RawValue;

/// The JSON object that a storefront gave, as it came; an empty one when it gave none.
pub(super) fn json_object(text: Option<&str>) -> &RawValue {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| serde_json::from_str("{}").expect("an empty object is JSON"))
}
