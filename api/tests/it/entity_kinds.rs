//! What each kind of entity needs of this crate, in one table. A new kind does not compile until it has a line.

use std::time::Duration;

use serde_json::Value;
use smartcart_api::{config::Seed, problem::Problem, router, target::Target};
use smartcart_domain::{cart::Cart, change::EntityKind, entity::Entity, inventory::Stock};
use strum::VariantArray as _;

use crate::support::{Request, TestShop};

struct Needs {
    /// Where clients read one.
    path: &'static str,
    /// Its view in the OpenAPI document.
    view: &'static str,
    /// One that the demo shop has from the start; none where visitors make their own.
    in_demo: Option<&'static str>,
}

impl Needs {
    /// The bound is what `?` in a handler asks for: each rejection has its problem code.
    const fn of<E: Entity>(path: &'static str, view: &'static str, in_demo: Option<&'static str>) -> Self
    where
        Problem: From<E::Rejection>,
    {
        Self { path, view, in_demo }
    }
}

const fn needs(kind: EntityKind) -> Needs {
    match kind {
        EntityKind::Cart => Needs::of::<Cart>("/v1/carts/{id}", "Cart", None),
        EntityKind::Stock => {
            Needs::of::<Stock>("/v1/inventory/{sku}", "StockAnswer", Some("/v1/inventory/10080"))
        }
    }
}

fn all() -> impl Iterator<Item = Needs> {
    EntityKind::VARIANTS.iter().copied().map(needs)
}

#[test]
fn every_kind_is_read_as_its_view() {
    let (_, description) = router::api(Duration::from_secs(1), Target::All);
    let description: Value = serde_json::to_value(description).unwrap();
    for Needs { path, view, .. } in all() {
        let answer = &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"];
        assert_eq!(answer["schema"]["$ref"], format!("#/components/schemas/{view}"), "{path}");
    }
}

#[tokio::test]
async fn the_demo_shop_has_what_its_visitors_need() {
    let shop = TestShop::open_with(|settings| settings.shop.seed = Some(Seed::Demo)).await;
    for path in all().filter_map(|needs| needs.in_demo) {
        let read = Request::new("GET", path).bearer(&shop.token);
        let version = shop.send(read).await.is(200).json()["version"].as_u64();
        assert!(version > Some(0), "{path} was never changed");
    }
}
