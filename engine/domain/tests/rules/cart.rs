use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use smartcart_domain::{
    cart::{
        BatchMode, Cart, CartCommand, CartEvent, CartRejection, CartStatus, CheckoutTerms, Operation,
        OperationKind,
    },
    catalog::Catalog,
    checkout::{AbortReason, ChangedPrices, PriceChange, TotalChange, Withdrawn},
    entity::Entity,
    id::{CartId, OrderId, UserId},
    idempotency::{Caller, OperationOutcome, Outcome},
    limits::MAX_AMOUNT,
    money::Money,
    orders::{CheckoutDetails, OrderStatus},
    payment::{Authorization, PaymentMethod},
    time::Seconds,
};

use crate::given::{Given, NOON, catalog, gbp, given, sku};

const CART: CartId = CartId(7);
const ORDER: OrderId = OrderId(9);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

fn created(owner: Option<UserId>) -> CartEvent {
    CartEvent::Created { owner, currency: gbp(), metadata: None, lifetime: Seconds(30 * 24 * 3600) }
}

fn added(name: &str, quantity: u32, unit_price: i64) -> CartEvent {
    CartEvent::ItemAdded { sku: sku(name), quantity, unit_price }
}

fn shop() -> Arc<Catalog> {
    catalog(&[
        ("mug", Some(250)),
        ("pot", Some(1000)),
        ("tin", Some(99)),
        ("jar", Some(5)),
        ("unpriced", None),
    ])
}

fn add(name: &str, quantity: u32) -> CartCommand {
    CartCommand::AddItem { sku: sku(name), quantity, catalog: shop() }
}

fn set(name: &str, quantity: u32) -> CartCommand {
    CartCommand::SetItem { sku: sku(name), quantity, catalog: shop() }
}

fn checkout(catalog: Arc<Catalog>, expected_total: Option<i64>) -> CartCommand {
    CartCommand::StartCheckout(Box::new(CheckoutTerms {
        order: ORDER,
        details: CheckoutDetails::default(),
        payment: PaymentMethod { method: "invoice".to_owned(), token: None },
        expected_total: expected_total.map(|amount| Money::new(amount, gbp())),
        catalog,
    }))
}

fn invoice() -> Authorization {
    Authorization { method: "invoice".to_owned(), reference: "9".to_owned() }
}

fn a_cart(events: impl IntoIterator<Item = CartEvent>) -> Given<Cart> {
    given::<Cart>(&CART, [created(None)].into_iter().chain(events))
}

/// A cart whose checkout has begun, and the event it began with.
fn checking_out() -> (Vec<CartEvent>, CartEvent) {
    let before = vec![created(None), added("mug", 2, 250)];
    let mut cart = Cart::absent(&CART);
    for event in &before {
        cart.advance(std::slice::from_ref(event), NOON);
    }
    let decision =
        cart.decide(&checkout(shop(), None), &crate::given::context()).expect("the checkout begins");
    (before, decision.events[0].clone())
}

#[test]
fn adding_takes_todays_price() {
    a_cart([]).when(&add("mug", 2)).then([added("mug", 2, 250)]);
}

#[test]
fn adding_again_adds_up_and_refreshes_the_price() {
    let cart = a_cart([added("mug", 2, 240)]).when(&add("mug", 3)).then([added("mug", 3, 250)]).and_then();
    assert_eq!((cart.lines[0].quantity, cart.lines[0].unit_price, cart.subtotal()), (5, 250, Some(1250)));
}

#[test]
fn a_quantity_is_between_one_and_the_limit() {
    let refused = CartRejection::QuantityOutOfRange { limit: 99 };
    a_cart([]).when(&add("mug", 0)).then_rejected(&refused);
    a_cart([]).when(&add("mug", 100)).then_rejected(&refused);
    a_cart([added("mug", 98, 250)]).when(&add("mug", 2)).then_rejected(&refused);
    a_cart([added("mug", 98, 250)]).when(&add("mug", u32::MAX)).then_rejected(&refused);
    a_cart([]).when(&add("mug", 99)).then([added("mug", 99, 250)]);
}

#[test]
fn a_cart_has_room_for_so_many_lines() {
    let full = || a_cart([added("mug", 1, 250), added("pot", 1, 1000), added("tin", 1, 99)]);
    full().when(&add("jar", 1)).then_rejected(&CartRejection::CartFull { limit: 3 });
    full().when(&add("tin", 1)).then([added("tin", 1, 99)]);
}

#[test]
fn only_what_is_sold_can_be_added() {
    a_cart([]).when(&add("ghost", 1)).then_rejected(&CartRejection::UnknownSku(sku("ghost")));
    a_cart([]).when(&add("unpriced", 1)).then_rejected(&CartRejection::NoPrice(sku("unpriced")));
}

#[test]
fn setting_to_zero_removes_and_is_nothing_where_nothing_is() {
    a_cart([added("mug", 2, 250)]).when(&set("mug", 0)).then([CartEvent::ItemRemoved { sku: sku("mug") }]);
    a_cart([]).when(&set("mug", 0)).then_nothing();
}

#[test]
fn what_is_not_in_the_cart_cannot_be_removed() {
    a_cart([])
        .when(&CartCommand::RemoveItem { sku: sku("mug") })
        .then_rejected(&CartRejection::ItemNotFound(sku("mug")));
}

#[test]
fn clearing_an_empty_cart_is_nothing() {
    a_cart([]).when(&CartCommand::Clear).then_nothing();
    a_cart([added("mug", 1, 250)]).when(&CartCommand::Clear).then([CartEvent::Cleared]);
}

#[test]
fn a_cart_that_was_never_created_is_not_found() {
    given::<Cart>(&CART, []).when(&add("mug", 1)).then_rejected(&CartRejection::NotFound);
}

#[test]
fn a_shoppers_cart_is_not_found_by_others() {
    let anna = UserId(1);
    let cart = || given::<Cart>(&CART, [created(Some(anna))]);
    cart().asked_by(Caller::Guest).when(&add("mug", 1)).then_rejected(&CartRejection::NotFound);
    cart().asked_by(Caller::User(UserId(2))).when(&add("mug", 1)).then_rejected(&CartRejection::NotFound);
    cart().asked_by(Caller::User(anna)).when(&add("mug", 1)).then([added("mug", 1, 250)]);
    cart().asked_by(Caller::Service).when(&add("mug", 1)).then([added("mug", 1, 250)]);
}

#[test]
fn an_untouched_cart_expires() {
    a_cart([]).after(MONTH).when(&add("mug", 1)).then_rejected(&CartRejection::Expired);
    a_cart([]).after(MONTH - Duration::from_secs(1)).when(&add("mug", 1)).then([added("mug", 1, 250)]);
}

#[test]
fn a_shoppers_expired_cart_begins_again_for_them_alone() {
    let anna = Some(UserId(1));
    let create = |owner| CartCommand::Create { currency: gbp(), owner, metadata: None };
    let cart = || given::<Cart>(&CART, [created(anna), added("mug", 1, 250)]).after(MONTH);
    cart().when(&create(anna)).then([CartEvent::Cleared, created(anna)]);
    cart().when(&create(Some(UserId(2)))).then_rejected(&CartRejection::AlreadyExists);
    a_cart([]).after(MONTH).when(&create(None)).then_rejected(&CartRejection::AlreadyExists);
    given::<Cart>(&CART, [created(anna)]).when(&create(anna)).then_rejected(&CartRejection::AlreadyExists);
}

fn operation(kind: OperationKind, name: &str, quantity: u32) -> Operation {
    Operation { kind, sku: sku(name), quantity }
}

fn batch(mode: BatchMode, operations: Vec<Operation>) -> CartCommand {
    CartCommand::Batch { mode, operations, catalog: shop() }
}

#[test]
fn an_atomic_batch_is_all_or_nothing() {
    let operations = vec![
        operation(OperationKind::Add, "mug", 1),
        operation(OperationKind::Remove, "pot", 0),
        operation(OperationKind::Add, "tin", 1),
    ];
    a_cart([]).when(&batch(BatchMode::Atomic, operations)).then_rejected(&CartRejection::Batch {
        index: 1,
        reason: Box::new(CartRejection::ItemNotFound(sku("pot"))),
    });
}

#[test]
fn a_best_effort_batch_does_what_it_can_and_says_what_not() {
    let operations = vec![
        operation(OperationKind::Add, "mug", 1),
        operation(OperationKind::Remove, "pot", 0),
        operation(OperationKind::Set, "mug", 4),
        operation(OperationKind::Add, "ghost", 1),
    ];
    let outcomes = [
        OperationOutcome::Applied,
        OperationOutcome::ItemNotFound,
        OperationOutcome::Applied,
        OperationOutcome::UnknownSku,
    ];
    let cart = a_cart([])
        .when(&batch(BatchMode::BestEffort, operations))
        .then_answers(&Outcome::Batch(outcomes.into()))
        .then([
            added("mug", 1, 250),
            CartEvent::ItemQuantitySet { sku: sku("mug"), quantity: 4, unit_price: 250 },
        ])
        .and_then();
    assert_eq!((cart.version, cart.quantity()), (2, 4), "a batch is one version");
}

#[test]
fn an_empty_cart_is_not_checked_out() {
    a_cart([]).when(&checkout(shop(), None)).then_rejected(&CartRejection::CartEmpty);
}

fn prices_changed(changes: &[(&str, i64, i64)], was: i64, now: i64) -> CartRejection {
    let change = |(name, was, now): &(&str, i64, i64)| PriceChange { sku: sku(name), was: *was, now: *now };
    CartRejection::PriceChanged(Box::new(ChangedPrices {
        changes: changes.iter().map(change).collect(),
        total: TotalChange { currency: gbp(), was, now },
    }))
}

#[test]
fn a_shopper_agrees_to_an_amount_and_not_to_any_change() {
    let dearer = || catalog(&[("mug", Some(300))]);
    let cart = || a_cart([added("mug", 2, 250)]);
    let refused = || prices_changed(&[("mug", 250, 300)], 500, 600);
    cart().when(&checkout(dearer(), None)).then_rejected(&refused());
    for another in [0, 500, 599, 601, i64::MAX] {
        cart().when(&checkout(dearer(), Some(another))).then_rejected(&refused());
    }
    let checked_out =
        cart().when(&checkout(dearer(), Some(600))).then_answers(&Outcome::CheckoutStarted(ORDER)).and_then();
    assert_eq!(checked_out.checkout.unwrap().total, 600);
}

#[test]
fn an_amount_in_another_currency_is_another_amount() {
    let mut terms = checkout(shop(), Some(500));
    let CartCommand::StartCheckout(asked) = &mut terms else { panic!("no checkout") };
    asked.expected_total = Some(Money::new(500, "EUR".parse().unwrap()));
    a_cart([added("mug", 2, 250)]).when(&terms).then_rejected(&prices_changed(&[], 500, 500));
}

#[test]
fn what_was_put_in_behind_the_shoppers_back_is_not_charged_unseen() {
    let cart = || a_cart([added("mug", 2, 250), added("tin", 1, 99)]);
    cart().when(&checkout(shop(), Some(500))).then_rejected(&prices_changed(&[], 599, 599));
    cart().when(&checkout(shop(), Some(599))).then_answers(&Outcome::CheckoutStarted(ORDER));
}

#[test]
fn prices_that_change_and_add_up_alike_are_asked_for() {
    let cart = || a_cart([added("mug", 1, 250), added("tin", 1, 99)]);
    let swapped = || catalog(&[("mug", Some(99)), ("tin", Some(250))]);
    let refused = prices_changed(&[("mug", 250, 99), ("tin", 99, 250)], 349, 349);
    cart().when(&checkout(swapped(), None)).then_rejected(&refused);
    cart().when(&checkout(swapped(), Some(349))).then_answers(&Outcome::CheckoutStarted(ORDER));
}

#[test]
fn what_is_no_longer_sold_is_named_and_cannot_be_agreed_to() {
    let cart = || a_cart([added("mug", 2, 250), added("unpriced", 1, 7), added("tin", 1, 90)]);
    let withdrawn = |name: &str, was| Withdrawn { sku: sku(name), was };
    let rest = || catalog(&[("unpriced", None), ("tin", Some(99))]);
    for expected in [None, Some(99), Some(0)] {
        cart().when(&checkout(rest(), expected)).then_rejected(&CartRejection::ProductUnavailable(vec![
            withdrawn("mug", 250),
            withdrawn("unpriced", 7),
        ]));
    }
}

#[test]
fn no_total_is_more_than_every_json_reader_keeps() {
    let catalog = catalog(&[("mug", Some(MAX_AMOUNT / 3)), ("tin", Some(1))]);
    let add =
        |name: &str, quantity| CartCommand::AddItem { sku: sku(name), quantity, catalog: catalog.clone() };
    let three = || a_cart([added("mug", 3, MAX_AMOUNT / 3)]);
    assert_eq!(MAX_AMOUNT % 3, 1);
    three().when(&add("tin", 1)).then([added("tin", 1, 1)]);
    three().when(&add("tin", 2)).then_rejected(&CartRejection::TotalTooLarge);
    three().when(&add("mug", 1)).then_rejected(&CartRejection::TotalTooLarge);
    let cheap = || a_cart([added("mug", 4, 1)]);
    cheap().when(&checkout(catalog.clone(), None)).then_rejected(&CartRejection::TotalTooLarge);
}

#[test]
fn a_cart_being_checked_out_does_not_change() {
    let (before, started) = checking_out();
    let cart = || given::<Cart>(&CART, before.clone().into_iter().chain([started.clone()]));
    cart().when(&add("mug", 1)).then_rejected(&CartRejection::CheckingOut);
    cart().when(&checkout(shop(), None)).then_rejected(&CartRejection::CheckingOut);
}

#[test]
fn an_order_is_placed_once_and_empties_the_cart() {
    let (before, started) = checking_out();
    let place = CartCommand::PlaceOrder { order: ORDER, payment: invoice() };
    let cart = given::<Cart>(&CART, before.into_iter().chain([started]))
        .asked_by(Caller::Engine)
        .when(&place)
        .then_answers(&Outcome::Ordered(ORDER))
        .and_then();
    assert_eq!((cart.lines.len(), cart.order(), cart.status(NOON)), (0, Some(ORDER), CartStatus::Ordered));
    let again = cart.decide(&place, &crate::given::context()).unwrap();
    assert_eq!((again.events.len(), again.outcome), (0, Outcome::Ordered(ORDER)));
}

#[test]
fn a_decided_checkout_is_not_decided_otherwise() {
    let (before, started) = checking_out();
    let refusal = AbortReason::PaymentDeclined { reason: "no".to_owned() };
    let cart = given::<Cart>(&CART, before.into_iter().chain([started]))
        .when(&CartCommand::AbortCheckout { order: ORDER, refusal })
        .and_then();
    assert_eq!(cart.status(NOON), CartStatus::Open, "an aborted checkout leaves the cart as it was");
    assert_eq!(cart.quantity(), 2);
    let place = CartCommand::PlaceOrder { order: ORDER, payment: invoice() };
    assert_eq!(cart.decide(&place, &crate::given::context()), Err(CartRejection::NoSuchCheckout));
}

#[test]
fn the_order_has_what_was_checked_out() {
    let (before, started) = checking_out();
    let cart = given::<Cart>(&CART, before.into_iter().chain([started]));
    let then = cart.when(&CartCommand::PlaceOrder { order: ORDER, payment: invoice() });
    let CartEvent::CheckoutPlaced { order } = then.and_then_events().remove(0) else { panic!("no order") };
    assert_eq!((order.total, order.status, order.version), (500, OrderStatus::Placed, 1));
    assert_eq!(order.lines[0].name, "The mug");
    assert_eq!(order.number().len(), 14);
}

#[test]
fn settling_closes_a_decided_checkout_only() {
    let (before, started) = checking_out();
    let events = before.into_iter().chain([started]);
    given::<Cart>(&CART, events).when(&CartCommand::SettleCheckout { order: ORDER }).then_nothing();
}

/// The events of a cart that was ordered and whose checkout is settled.
fn ordered() -> Vec<CartEvent> {
    let (before, started) = checking_out();
    let begun = given::<Cart>(&CART, before.iter().cloned().chain([started.clone()]));
    let placed = begun
        .asked_by(Caller::Engine)
        .when(&CartCommand::PlaceOrder { order: ORDER, payment: invoice() })
        .and_then_events();
    let settled = CartEvent::CheckoutSettled { order: ORDER };
    before.into_iter().chain([started]).chain(placed).chain([settled]).collect()
}

#[test]
fn a_second_click_is_led_to_the_order() {
    let cart = || given::<Cart>(&CART, ordered());
    cart().when(&checkout(shop(), None)).then_rejected(&CartRejection::CartOrdered { order: ORDER });
    // Also while its goods are still being handed out.
    let mut unsettled = ordered();
    unsettled.pop();
    let cart = given::<Cart>(&CART, unsettled);
    cart.when(&checkout(shop(), None)).then_rejected(&CartRejection::CartOrdered { order: ORDER });
}

#[test]
fn an_ordered_cart_is_open_for_good_once_something_is_put_in() {
    let remove = CartEvent::ItemRemoved { sku: sku("mug") };
    for emptied in [remove, CartEvent::Cleared] {
        let events = ordered().into_iter().chain([added("mug", 1, 250), emptied]);
        let then = given::<Cart>(&CART, events).when(&add("tin", 1));
        let cart = then.and_then();
        assert_eq!((cart.order(), cart.status(NOON)), (None, CartStatus::Open));
        assert_eq!(cart.last_order.map(|last| (last.id, last.placed_at)), Some((ORDER, Some(NOON))));
    }
    let set = CartEvent::ItemQuantitySet { sku: sku("mug"), quantity: 1, unit_price: 250 };
    let events = ordered().into_iter().chain([set, CartEvent::Cleared]);
    given::<Cart>(&CART, events).when(&checkout(shop(), None)).then_rejected(&CartRejection::CartEmpty);
}

#[test]
fn the_order_is_that_of_the_shopper_who_checks_out() {
    let (anna, ben) = (UserId(1), UserId(2));
    let order_of = |owner: Option<UserId>, caller: Caller| {
        let events = vec![created(owner), added("mug", 2, 250)];
        let begun = given::<Cart>(&CART, events.clone()).asked_by(caller).when(&checkout(shop(), None));
        let events = events.into_iter().chain(begun.and_then_events());
        let placed = given::<Cart>(&CART, events)
            .asked_by(Caller::Engine)
            .when(&CartCommand::PlaceOrder { order: ORDER, payment: invoice() });
        let CartEvent::CheckoutPlaced { order } = placed.and_then_events().remove(0) else {
            panic!("no order")
        };
        order.user
    };
    assert_eq!(order_of(None, Caller::Guest), None);
    assert_eq!(order_of(None, Caller::User(ben)), Some(ben), "a guest's cart");
    assert_eq!(order_of(Some(anna), Caller::User(anna)), Some(anna));
    assert_eq!(order_of(Some(anna), Caller::Service), Some(anna));
    assert_eq!(order_of(None, Caller::Service), None);
}

proptest! {
    /// Whatever is put in and taken out after an order: the cart stands for it exactly until something is put in.
    #[test]
    fn a_cart_stands_for_its_order_until_something_is_put_in(
        commands in proptest::collection::vec((0..5_u8, 0..3_u32), 0..12)
    ) {
        let mut cart = Cart::absent(&CART);
        for event in ordered() {
            cart.advance(&[event], NOON);
        }
        let mut put_in = false;
        for (command, quantity) in commands {
            let command = match command {
                0 => add("mug", quantity),
                1 => set("mug", quantity),
                2 => CartCommand::RemoveItem { sku: sku("mug") },
                3 => CartCommand::Clear,
                _ => checkout(shop(), Some(1)),
            };
            if let Ok(decision) = cart.decide(&command, &crate::given::context()) {
                put_in |= decision.events.iter().any(|event| {
                    matches!(event, CartEvent::ItemAdded { .. } | CartEvent::ItemQuantitySet { .. })
                });
                cart.advance(&decision.events, NOON);
            }
            prop_assert_eq!(cart.order(), (!put_in).then_some(ORDER));
            prop_assert_eq!(cart.status(NOON) == CartStatus::Ordered, !put_in);
            prop_assert_eq!(cart.last_order.as_deref().map(|last| last.id), Some(ORDER));
        }
    }
}
