//! The service's own description, for tests that ask every endpoint the same.

use std::time::Duration;

use serde_json::Value;
use smartcart_api::{router, target::Target};

use super::Request;

/// One operation of the OpenAPI document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// With its parameters, as in `/v1/carts/{id}`.
    pub(crate) route: String,
    pub(crate) described: Value,
}

pub(crate) fn document() -> Value {
    let (_, description) = router::api(Duration::from_secs(1), Target::All);
    serde_json::from_str(&description.to_json().unwrap()).unwrap()
}

/// The schema that this one names; of alternatives, the one that is not `null`.
pub(crate) fn resolved(schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return resolved(document().pointer(name.strip_prefix('#').unwrap()).unwrap());
    }
    match schema["oneOf"].as_array() {
        Some(alternatives) => resolved(alternatives.iter().find(|one| one["type"] != "null").unwrap()),
        None => schema.clone(),
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    let description = document();
    let mut operations = Vec::new();
    for (route, of_route) in description["paths"].as_object().unwrap() {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if let Some(described) = of_route.get(method.to_lowercase()) {
                operations.push(Operation { method, route: route.clone(), described: described.clone() });
            }
        }
    }
    assert!(operations.len() > 30, "the document has lost its operations");
    operations
}

impl Operation {
    /// An address of it where something could be.
    pub(crate) fn path(&self) -> String {
        let id = if self.route.starts_with("/v1/products/") { "MUG" } else { &"7".repeat(32) };
        self.route.replace("{sku}", "MUG").replace("{id}", id)
    }

    pub(crate) fn request(&self) -> Request {
        Request::new(self.method, self.path())
    }

    pub(crate) fn takes_a_body(&self) -> bool {
        self.described.get("requestBody").is_some()
    }

    /// Only the shop itself may ask.
    pub(crate) fn is_for_the_service(&self) -> bool {
        self.described["security"].as_array().unwrap().iter().all(|way| way.get("service").is_some())
    }

    /// Somebody must have signed in.
    pub(crate) fn is_for_the_known(&self) -> bool {
        self.described["security"].as_array().unwrap().iter().all(|way| way != &serde_json::json!({}))
    }
}
