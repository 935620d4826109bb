//! What each kind of entity needs of this crate, in one table. A new kind does not compile until it has a line.

use std::time::Duration;

use serde_json::Value;
use smartcart_api::{config::Seed, problem::Problem, router, target::Target};
use smartcart_domain::{cart::Cart, change::EntityKey, entity::Entity, inventory::Stock};

use crate::support::TestShop;

struct Needs {
    /// Where clients read one.
    path: &'static str,
    /// Its view in the OpenAPI document.
    view: &'static str,
    /// One that the demo shop has from the start; none where visitors make their own.
    in_demo: Option<&'static str>,
}

/// The conversion is what `?` in a handler asks for.
const fn rejections_are_problems<E: Entity>()
where
    Problem: From<E::Rejection>,
{
}

macro_rules! kinds {
    ($($variant:pat => $entity:ty: $needs:ident = $value:expr;)*) => {
        $(const $needs: Needs = $value; const _: () = rejections_are_problems::<$entity>();)*

        const ALL: &[Needs] = &[$($needs),*];

        #[expect(dead_code, reason = "it only has to compile: that is what names a forgotten kind")]
        const fn needs(key: &EntityKey) -> Needs {
            match key { $($variant => $needs,)* }
        }
    };
}

kinds! {
    EntityKey::Cart(_) => Cart: CART = Needs { path: "/v1/carts/{id}", view: "Cart", in_demo: None };
    EntityKey::Stock(_) => Stock: STOCK = Needs {
        path: "/v1/inventory/{sku}",
        view: "Stock",
        in_demo: Some("/v1/inventory/10080"),
    };
}

#[test]
fn every_kind_is_read_as_its_view() {
    let (_, description) = router::api(Duration::from_secs(1), Target::All);
    let description: Value = serde_json::to_value(description).unwrap();
    for Needs { path, view, .. } in ALL {
        let answer = &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"];
        assert_eq!(answer["schema"]["$ref"], format!("#/components/schemas/{view}"), "{path}");
    }
}

#[tokio::test]
async fn the_demo_shop_has_what_its_visitors_need() {
    let shop = TestShop::open_with(|settings| settings.shop.seed = Some(Seed::Demo)).await;
    for path in ALL.iter().filter_map(|needs| needs.in_demo) {
        let version = shop.get(path).await.is(200).json()["version"].as_u64();
        assert!(version > Some(0), "{path} was never changed");
    }
}
