use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use smartcart_api::{problem::Code, router};

use crate::support::TestShop;

fn described() -> String {
    let (_, description) = router::api(Duration::from_secs(1), smartcart_api::target::Target::All);
    description.to_pretty_json().unwrap() + "\n"
}

/// `UPDATE_OPENAPI=1` writes the file anew.
#[test]
fn the_file_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let described = described();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &described).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == described,
        "api/openapi.json is out of date: UPDATE_OPENAPI=1 cargo test -p smartcart-api openapi"
    );
}

#[test]
fn every_operation_has_a_name_and_an_answer() {
    let description: Value = serde_json::from_str(&described()).unwrap();
    let mut names = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name =
                operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
            assert!(answers.contains_key("default"), "{name}");
            names.push(name.to_owned());
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two operations have one name");
}

#[test]
fn every_problem_code_is_explained() {
    let description: Value = serde_json::from_str(&described()).unwrap();
    let explained = description["components"]["responses"]["Failure"]["description"].as_str().unwrap();
    for code in Code::ALL {
        let line = format!("| `{}` | {} | {} |\n", code.as_str(), code.status().as_u16(), code.title());
        assert!(explained.contains(&line), "{code:?}");
    }
}

/// Every `$ref` of the document leads somewhere.
#[test]
fn every_reference_resolves() {
    let description: Value = serde_json::from_str(&described()).unwrap();
    let mut open = vec![&description];
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Object(fields) => open.extend(fields.values()),
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[tokio::test]
async fn the_service_gives_its_description_and_a_page_to_read_it() {
    let shop = TestShop::open().await;
    let served = shop.get("/openapi.json").await.is(200).json();
    assert_eq!(served, serde_json::from_str::<Value>(&described()).unwrap());
    let page = shop.get("/docs/").await.is(200);
    assert!(String::from_utf8_lossy(&page.body).contains("<html"));
}
