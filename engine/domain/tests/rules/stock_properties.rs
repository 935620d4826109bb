//! Whatever is asked, in whatever order: no unit is sold twice, and none is lost.

use std::time::Duration;

use proptest::prelude::*;
use smartcart_domain::{
    entity::{Context, Entity},
    id::{CartId, HoldId, OrderId},
    inventory::{Stock, StockCommand},
    time::ShopTime,
};

use crate::given::{NOON, context, sku};

fn command() -> impl Strategy<Value = StockCommand> {
    let id = (0_u128..6).prop_map(HoldId);
    let order = (100_u128..104).prop_map(OrderId);
    let ttl = (1_u64..90).prop_map(Duration::from_secs);
    prop_oneof![
        (-5_i64..60).prop_map(|on_hand| StockCommand::SetOnHand { on_hand }),
        (-20_i64..20).prop_map(|delta| StockCommand::Adjust { delta, reason: "x".into() }),
        (id.clone(), 0_u32..12, ttl.clone()).prop_map(|(id, quantity, ttl)| StockCommand::PlaceHold {
            id,
            quantity,
            ttl
        }),
        (id.clone(), ttl).prop_map(|(id, ttl)| StockCommand::ExtendHold { id, ttl }),
        id.clone().prop_map(|id| StockCommand::ReleaseHold { id }),
        id.prop_map(|id| StockCommand::CommitHold { id }),
        (order.clone(), 1_u32..12).prop_map(|(order, quantity)| StockCommand::HoldForCheckout {
            order,
            cart: CartId(1),
            quantity
        }),
        order.clone().prop_map(|order| StockCommand::SellForCheckout { order }),
        order.clone().prop_map(|order| StockCommand::ReleaseForCheckout { order }),
        order.prop_map(|order| StockCommand::KeepForCheckout { order }),
        Just(StockCommand::ExpireDue),
    ]
}

proptest! {
    #[test]
    fn the_books_always_balance(steps in prop::collection::vec((command(), 0_u64..30), 1..120)) {
        let mut stock = Stock::absent(&sku("mug"));
        let mut replayed = stock.clone();
        let mut seconds = 0;
        for (command, wait) in steps {
            seconds += wait;
            let shop = ShopTime(0).plus(Duration::from_secs(seconds));
            let context = Context { shop, passed: shop, ..context() };
            let Ok(decision) = stock.decide(&command, &context) else { continue };
            stock.advance(&decision.events, NOON);
            replayed.advance(&decision.events, NOON);
            prop_assert!(stock.level.is_sound(), "{:?} after {command:?}", stock.level);
            let held: i64 = stock.holds().map(|(_, hold)| i64::from(hold.quantity)).sum();
            prop_assert_eq!(held, stock.level.held);
        }
        prop_assert_eq!(stock, replayed);
    }
}
