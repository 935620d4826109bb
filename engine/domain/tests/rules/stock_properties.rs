//! Whatever is asked, in whatever order: no unit is sold twice, and none is lost.

use std::time::Duration;

use proptest::prelude::*;
use smartcart_domain::{
    entity::{Context, Entity},
    id::{CartId, HoldId, OrderId},
    inventory::{Stock, StockCommand, StockEvent},
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
        order.clone().prop_map(|order| StockCommand::KeepForCheckout { order }),
        (order.clone(), 1_u32..12)
            .prop_map(|(order, quantity)| StockCommand::RestockCancelled { order, quantity }),
        order.prop_map(|order| StockCommand::ForgetRestock { order }),
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

proptest! {
    /// A cancelled order's units come back once, however often this is tried, however long it takes, and whatever else is
    /// done meanwhile.
    #[test]
    fn a_cancelled_orders_units_come_back_once(
        bought in 1_u32..12,
        is_sold in any::<bool>(),
        steps in prop::collection::vec((command(), 0_u64..100_000, any::<bool>()), 1..60),
    ) {
        let order = OrderId(7);
        let (mut stock, mut seconds) = (Stock::absent(&sku("mug")), 0);
        let mut run = |stock: &mut Stock, command: &StockCommand, wait: u64| {
            seconds += wait;
            let shop = ShopTime(0).plus(Duration::from_secs(seconds));
            let decided = stock.decide(command, &Context { shop, passed: shop, ..context() });
            let returned = decided.map_or(0, |decision| {
                stock.advance(&decision.events, NOON);
                let back = decision.events.iter().map(|event| match event {
                    StockEvent::Restocked { order: OrderId(7), quantity, .. } => *quantity,
                    _ => 0,
                });
                back.sum()
            });
            assert!(stock.level.is_sound());
            returned
        };
        run(&mut stock, &StockCommand::SetOnHand { on_hand: 100 }, 0);
        run(&mut stock, &StockCommand::HoldForCheckout { order, cart: CartId(1), quantity: bought }, 0);
        if is_sold {
            run(&mut stock, &StockCommand::SellForCheckout { order }, 0);
        }
        let mut returned = 0;
        let restock = StockCommand::RestockCancelled { order, quantity: bought };
        for (command, wait, again) in steps {
            if again {
                returned += run(&mut stock, &restock, wait);
            }
            // Orders that were never sold here would return this one's units.
            if !matches!(command, StockCommand::RestockCancelled { .. }) {
                run(&mut stock, &command, wait);
            }
        }
        returned += run(&mut stock, &restock, 0);
        prop_assert_eq!(returned, bought);
        prop_assert!(stock.hold(HoldId::of_checkout(order)).is_none());
    }
}
