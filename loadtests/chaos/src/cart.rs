//! What a client knows of a cart: its lines, and what a change does to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Units by SKU; a line that is there has at least one.
pub type Lines = BTreeMap<String, u32>;

/// A cart as an answer showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub version: u64,
    pub lines: Lines,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CartChange {
    Add { sku: String, quantity: u32 },
    Set { sku: String, quantity: u32 },
    Remove { sku: String },
    Clear,
    Batch { atomic: bool, operations: Vec<CartChange> },
}

impl CartChange {
    /// The lines after the change; `None` when it would have been refused.
    pub fn apply(&self, lines: &Lines) -> Option<Lines> {
        let mut after = lines.clone();
        match self {
            Self::Add { sku, quantity } => {
                let line = after.entry(sku.clone()).or_default();
                *line = line.checked_add(*quantity)?;
            }
            Self::Set { sku, quantity } => {
                after.insert(sku.clone(), *quantity);
            }
            Self::Remove { sku } => {
                after.remove(sku)?;
            }
            Self::Clear => after.clear(),
            Self::Batch { atomic, operations } => {
                for operation in operations {
                    match operation.apply(&after) {
                        Some(next) => after = next,
                        None if *atomic => return None,
                        None => {}
                    }
                }
            }
        }
        Some(after)
    }

    /// Method, path below the cart and body.
    pub fn request(&self) -> (&'static str, String, Option<Value>) {
        match self {
            Self::Add { sku, quantity } => {
                ("POST", "/items".to_owned(), Some(json!({ "sku": sku, "quantity": quantity })))
            }
            Self::Set { sku, quantity } => {
                ("PUT", format!("/items/{sku}"), Some(json!({ "quantity": quantity })))
            }
            Self::Remove { sku } => ("DELETE", format!("/items/{sku}"), None),
            Self::Clear => ("DELETE", String::new(), None),
            Self::Batch { atomic, operations } => {
                let mode = if *atomic { "atomic" } else { "best_effort" };
                let operations: Vec<Value> = operations.iter().filter_map(Self::operation).collect();
                ("POST", "/batch".to_owned(), Some(json!({ "mode": mode, "operations": operations })))
            }
        }
    }

    /// The change as one operation of a batch, where it can be one.
    fn operation(&self) -> Option<Value> {
        match self {
            Self::Add { sku, quantity } => Some(json!({ "op": "add", "sku": sku, "quantity": quantity })),
            Self::Set { sku, quantity } => Some(json!({ "op": "set", "sku": sku, "quantity": quantity })),
            Self::Remove { sku } => Some(json!({ "op": "remove", "sku": sku })),
            Self::Clear | Self::Batch { .. } => None,
        }
    }
}

/// The lines of a JSON document with `items`: a cart or an order.
pub fn lines_of(document: &Value) -> Option<Lines> {
    document["items"]
        .as_array()?
        .iter()
        .map(|item| {
            let quantity = u32::try_from(item["quantity"].as_u64()?).ok()?;
            Some((item["sku"].as_str()?.to_owned(), quantity))
        })
        .collect()
}

/// The cart that an answer shows, when it shows one: itself, or beside the results of a batch.
pub fn snapshot_of(document: &Value) -> Option<Snapshot> {
    let document = document.get("cart").unwrap_or(document);
    Some(Snapshot { version: document["version"].as_u64()?, lines: lines_of(document)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(&str, u32)]) -> Lines {
        of.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect()
    }

    #[test]
    fn an_atomic_batch_is_all_or_nothing() {
        let operations = vec![
            CartChange::Add { sku: "A".into(), quantity: 2 },
            CartChange::Remove { sku: "B".into() },
            CartChange::Set { sku: "A".into(), quantity: 5 },
        ];
        let atomic = CartChange::Batch { atomic: true, operations: operations.clone() };
        let best_effort = CartChange::Batch { atomic: false, operations };
        assert_eq!(atomic.apply(&lines(&[])), None);
        assert_eq!(atomic.apply(&lines(&[("B", 1)])), Some(lines(&[("A", 5)])));
        assert_eq!(best_effort.apply(&lines(&[])), Some(lines(&[("A", 5)])));
    }

    #[test]
    fn an_answer_shows_a_cart() {
        let document = json!({ "id": "x", "version": 3, "items": [{ "sku": "A", "quantity": 2 }] });
        assert_eq!(snapshot_of(&document), Some(Snapshot { version: 3, lines: lines(&[("A", 2)]) }));
        assert_eq!(snapshot_of(&json!({ "cart": document, "results": [] })), snapshot_of(&document));
        assert_eq!(snapshot_of(&json!({ "version": 3 })), None);
    }
}
