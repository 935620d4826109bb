use std::time::Duration;

use smartcart_domain::limits::{self, MAX_AMOUNT};
use smartcart_domain::{
    entity::Entity,
    id::{CartId, HoldId, OrderId},
    idempotency::Outcome,
    inventory::{Adjustment, Stock, StockCommand, StockEvent, StockLevel, StockRejection},
    time::ShopTime,
};

use crate::given::{Given, context, given, sku};

const MINUTE: Duration = Duration::from_secs(60);
const CART: CartId = CartId(1);
const ORDER: OrderId = OrderId(2);

fn stocked(units: i64) -> StockEvent {
    StockEvent::Adjusted { delta: units, cause: Adjustment::Counted }
}

fn now() -> ShopTime {
    context().shop
}

fn held(id: u128, quantity: u32, deadline: ShopTime) -> StockEvent {
    StockEvent::HoldPlaced { id: HoldId(id), quantity, deadline, checkout: None }
}

fn held_for_checkout(quantity: u32) -> StockEvent {
    let deadline = now().plus(limits::CHECKOUT_HOLD_PATIENCE);
    StockEvent::HoldPlaced { id: HoldId::of_checkout(ORDER), quantity, deadline, checkout: Some(CART) }
}

fn hold(id: u128, quantity: u32) -> StockCommand {
    StockCommand::PlaceHold { id: HoldId(id), quantity, ttl: MINUTE }
}

fn stock(events: impl IntoIterator<Item = StockEvent>) -> Given<Stock> {
    given(&sku("mug"), events)
}

#[test]
fn what_is_there_can_be_held_and_no_more() {
    stock([stocked(5)]).when(&hold(1, 5)).then([held(1, 5, now().plus(MINUTE))]);
    stock([stocked(5)]).when(&hold(1, 6)).then_rejected(&StockRejection::InsufficientStock { available: 5 });
    stock([stocked(5), held(1, 3, now().plus(MINUTE))])
        .when(&hold(2, 3))
        .then_rejected(&StockRejection::InsufficientStock { available: 2 });
}

#[test]
fn the_same_hold_again_is_the_same_hold() {
    let deadline = now().plus(MINUTE);
    stock([stocked(5), held(1, 3, deadline)])
        .when(&hold(1, 3))
        .then_answers(&Outcome::Hold { id: HoldId(1), quantity: 3, deadline })
        .then_nothing();
    stock([stocked(5), held(1, 3, deadline)]).when(&hold(1, 2)).then_rejected(&StockRejection::HoldExists);
}

#[test]
fn a_hold_that_is_due_gives_way_to_the_next_one() {
    stock([stocked(5), held(1, 5, now().plus(MINUTE))])
        .after(MINUTE)
        .when(&hold(2, 5))
        .then([StockEvent::HoldExpired { id: HoldId(1) }, held(2, 5, now().plus(MINUTE).plus(MINUTE))]);
}

#[test]
fn a_hold_that_is_due_cannot_be_sold() {
    stock([stocked(5), held(1, 5, now().plus(MINUTE))])
        .after(MINUTE)
        .when(&StockCommand::CommitHold { id: HoldId(1) })
        .then_rejected(&StockRejection::HoldNotFound);
}

#[test]
fn selling_takes_the_units_off_the_shelf() {
    let sold = stock([stocked(5), held(1, 3, now().plus(MINUTE))])
        .when(&StockCommand::CommitHold { id: HoldId(1) })
        .then([StockEvent::HoldSold { id: HoldId(1) }])
        .and_then();
    assert_eq!((sold.level.on_hand, sold.level.held, sold.level.sold), (2, 0, 3));
    assert!(sold.level.is_sound());
}

#[test]
fn a_time_is_between_a_second_and_a_day() {
    let refused = StockRejection::TtlOutOfRange { max_seconds: 86_400 };
    for ttl in [Duration::ZERO, Duration::from_millis(999), limits::MAX_HOLD_TTL + Duration::from_millis(1)] {
        let hold = StockCommand::PlaceHold { id: HoldId(1), quantity: 1, ttl };
        stock([stocked(5)]).when(&hold).then_rejected(&refused);
    }
}

#[test]
fn fewer_than_are_held_cannot_be_on_hand() {
    let stock = || stock([stocked(5), held(1, 3, now().plus(MINUTE))]);
    stock()
        .when(&StockCommand::SetOnHand { on_hand: 2 })
        .then_rejected(&StockRejection::BelowHeld { held: 3 });
    stock()
        .when(&StockCommand::Adjust { delta: -3, reason: "broken".into() })
        .then_rejected(&StockRejection::BelowHeld { held: 3 });
    stock().when(&StockCommand::SetOnHand { on_hand: 3 }).then([stocked(-2)]);
}

#[test]
fn on_hand_stays_countable() {
    let refused = StockRejection::OnHandOutOfRange { max: limits::MAX_ON_HAND };
    for command in [
        StockCommand::SetOnHand { on_hand: -1 },
        StockCommand::SetOnHand { on_hand: i64::MAX },
        StockCommand::SetOnHand { on_hand: i64::MIN },
        StockCommand::Adjust { delta: i64::MAX, reason: "x".into() },
        StockCommand::Adjust { delta: i64::MIN, reason: "x".into() },
    ] {
        stock([stocked(5)]).when(&command).then_rejected(&refused);
    }
}

#[test]
fn who_wants_many_units_gets_them_from_as_many_holds_that_have_ended() {
    let many = u128::from(limits::EXPIRED_PER_MESSAGE as u64) + 100;
    let units = u32::try_from(many).unwrap();
    let holds = (1..=many).map(|id| held(id, 1, now().plus(MINUTE)));
    let taken =
        stock([stocked(i64::from(units))].into_iter().chain(holds).collect::<Vec<_>>()).after(MINUTE * 2);
    let taken = taken.when(&hold(many + 1, units)).and_then();
    assert_eq!((taken.level.held, taken.holds().count()), (i64::from(units), 1));
}

#[test]
fn a_checkouts_hold_does_not_expire_by_itself() {
    let stock = || stock([stocked(5), held_for_checkout(2)]).after(limits::CHECKOUT_HOLD_PATIENCE * 10);
    stock()
        .when(&StockCommand::ExpireDue)
        .then_answers(&Outcome::CheckoutsToAsk([(ORDER, CART)].into()))
        .then_nothing();
    stock().when(&hold(1, 4)).then_rejected(&StockRejection::InsufficientStock { available: 3 });
}

#[test]
fn a_checkouts_hold_is_not_the_publics() {
    let id = HoldId::of_checkout(ORDER);
    for command in [
        StockCommand::ReleaseHold { id },
        StockCommand::CommitHold { id },
        StockCommand::ExtendHold { id, ttl: MINUTE },
    ] {
        stock([stocked(5), held_for_checkout(2)]).when(&command).then_rejected(&StockRejection::HoldNotFound);
    }
}

#[test]
fn a_checkouts_steps_can_be_repeated() {
    let sell = StockCommand::SellForCheckout { order: ORDER };
    let sold = stock([stocked(5), held_for_checkout(2)]).when(&sell).and_then();
    assert_eq!(sold.level.sold, 2);
    assert!(sold.decide(&sell, &context()).unwrap().events.is_empty());
    let hold_again = StockCommand::HoldForCheckout { order: ORDER, cart: CART, quantity: 2 };
    stock([stocked(5), held_for_checkout(2)]).when(&hold_again).then_nothing();
}

#[test]
fn a_cancelled_orders_units_come_back_sold_or_not() {
    let restock = StockCommand::RestockCancelled { order: ORDER, quantity: 2 };
    let unsold = stock([stocked(5), held_for_checkout(2)]).when(&restock).and_then();
    assert_eq!((unsold.level.available(), unsold.level.sold), (5, 0));
    let sold = [stocked(5), held_for_checkout(2), StockEvent::HoldSold { id: HoldId::of_checkout(ORDER) }];
    let back = stock(sold).when(&restock).and_then();
    assert_eq!((back.level.on_hand, back.level.sold, back.level.stocked), (5, 0, 5));
    stock([stocked(5)]).when(&restock).then_rejected(&StockRejection::NotSold { sold: 0 });
    for back in [unsold, back] {
        assert!(back.decide(&restock, &context()).unwrap().events.is_empty(), "they come back once");
    }
}

#[test]
fn a_restock_is_remembered_until_it_is_forgotten() {
    let restock = StockCommand::RestockCancelled { order: ORDER, quantity: 2 };
    let forget = StockCommand::ForgetRestock { order: ORDER };
    let sold = || [stocked(5), held_for_checkout(2), StockEvent::HoldSold { id: HoldId::of_checkout(ORDER) }];
    let restocked = StockEvent::Restocked { order: ORDER, quantity: 2, remembered: true };
    stock(sold()).when(&restock).then([restocked.clone()]);
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let back = || stock(sold().into_iter().chain([restocked.clone()]));
    back().after(year).when(&restock).then_nothing();
    let forgotten = back().when(&forget).then([StockEvent::RestockForgotten { order: ORDER }]).and_then();
    assert_eq!(forgotten.restocked().len(), 0);
    assert!(forgotten.decide(&forget, &context()).unwrap().events.is_empty());
}

#[test]
fn no_more_is_stocked_than_every_json_reader_can_count() {
    let most = MAX_AMOUNT - 3;
    let sold = Stock::restore(
        sku("mug"),
        StockLevel { version: 1, on_hand: 0, held: 0, sold: most, stocked: most },
        [],
    );
    let adjust = |delta| StockCommand::Adjust { delta, reason: "delivery".into() };
    assert!(sold.decide(&adjust(3), &context()).is_ok());
    assert!(sold.decide(&adjust(4), &context()).is_err());
}
