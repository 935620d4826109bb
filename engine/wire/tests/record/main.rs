//! The durable form: what is written comes back, damage is refused, and the bytes never change by accident.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod samples;

use std::sync::Arc;

use proptest::{collection::vec, option, prelude::*};
use smartcart_domain::{
    cart::{Cart, CartEvent, Checkout, CheckoutPhase, LastOrder, Line},
    change::{Change, Subject},
    checkout::{AbortReason, Shortage},
    entry::{Entry, Lane},
    id::{CartId, HoldId, IncarnationId, OrderId, Sku, UserId},
    idempotency::{KeyFingerprint, KeyRecord, OperationOutcome, Outcome},
    inventory::{Adjustment, Hold, Stock, StockEvent, StockLevel},
    money::Currency,
    orders::{CheckoutDetails, Order, OrderLine, OrderStatus, StatusChange},
    payment::{Authorization, PaymentMethod},
    snapshot::{CartSnapshot, StockSnapshot},
    time::{Seconds, ShopTime, Timestamp},
};
use smartcart_wire::{
    EntryName, Malformed, decode_cart_snapshot, decode_changes, decode_entry, decode_stock_snapshot,
    encode_cart_snapshot, encode_changes, encode_entry, encode_stock_snapshot,
};
use xxhash_rust::xxh3::xxh3_64;

fn sku() -> impl Strategy<Value = Sku> {
    "[A-Za-z0-9._-]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn currency() -> impl Strategy<Value = Currency> {
    prop_oneof!["GBP", "USD", "JPY"].prop_map(|code| code.parse().unwrap())
}

fn wall() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn shop_time() -> impl Strategy<Value = ShopTime> {
    any::<i64>().prop_map(ShopTime)
}

fn guard() -> impl Strategy<Value = KeyFingerprint> {
    any::<(u128, u64)>().prop_map(|(key, request)| KeyFingerprint { key, request })
}

fn refusal() -> impl Strategy<Value = AbortReason> {
    let shortage = (sku(), any::<u32>(), any::<i64>()).prop_map(|(sku, requested, available)| Shortage {
        sku,
        requested,
        available,
    });
    prop_oneof![
        vec(shortage, 0..3).prop_map(AbortReason::InsufficientStock),
        ".{0,9}".prop_map(|reason| AbortReason::PaymentDeclined { reason }),
        ".{0,9}".prop_map(|reason| AbortReason::PaymentUnavailable { reason }),
        ".{0,9}".prop_map(|reason| AbortReason::Unavailable { reason }),
    ]
}

fn operation() -> impl Strategy<Value = OperationOutcome> {
    use OperationOutcome::{Applied, CartFull, ItemNotFound, NoPrice, QuantityTooLarge, UnknownSku};
    proptest::sample::select(vec![Applied, CartFull, QuantityTooLarge, ItemNotFound, UnknownSku, NoPrice])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Applied),
        (any::<u128>(), any::<u32>(), shop_time()).prop_map(|(id, quantity, deadline)| Outcome::Hold {
            id: HoldId(id),
            quantity,
            deadline
        }),
        vec(operation(), 0..9).prop_map(|operations| Outcome::Batch(operations.into())),
        any::<u128>().prop_map(|order| Outcome::CheckoutStarted(OrderId(order))),
        any::<u128>().prop_map(|order| Outcome::Ordered(OrderId(order))),
        (any::<u128>(), refusal())
            .prop_map(|(order, refusal)| Outcome::CheckoutRefused(OrderId(order), Box::new(refusal))),
        vec(any::<(u128, u128)>(), 0..3).prop_map(|asked| {
            Outcome::CheckoutsToAsk(asked.into_iter().map(|(o, c)| (OrderId(o), CartId(c))).collect())
        }),
    ]
}

fn key() -> impl Strategy<Value = KeyRecord> {
    (guard(), shop_time(), outcome()).prop_map(|(guard, at, outcome)| KeyRecord {
        key: guard.key,
        request: guard.request,
        at,
        outcome,
    })
}

fn order_line() -> impl Strategy<Value = OrderLine> {
    (sku(), ".{0,9}", any::<(u32, i64, i64)>()).prop_map(|(sku, name, (quantity, unit_price, line_total))| {
        OrderLine { sku, name, quantity, unit_price, line_total }
    })
}

fn details() -> impl Strategy<Value = CheckoutDetails> {
    (option::of(".{0,9}"), option::of(".{0,9}"), option::of(".{0,9}"))
        .prop_map(|(email, shipping_address, metadata)| CheckoutDetails { email, shipping_address, metadata })
}

fn status() -> impl Strategy<Value = OrderStatus> {
    proptest::sample::select(OrderStatus::ALL.to_vec())
}

fn order() -> impl Strategy<Value = Order> {
    let history = vec((status(), wall()).prop_map(|(status, at)| StatusChange { status, at }), 0..4);
    let ids = any::<(u128, u128, Option<u128>)>();
    let figures = (any::<(u64, i64)>(), status(), currency(), wall());
    (ids, figures, vec(order_line(), 0..4), details(), (".{0,9}", ".{0,9}"), history).prop_map(
        |(
            (id, cart, user),
            ((version, total), status, currency, placed_at),
            lines,
            details,
            payment,
            history,
        )| {
            Order {
                id: OrderId(id),
                version,
                status,
                cart: CartId(cart),
                user: user.map(UserId),
                currency,
                lines,
                total,
                details,
                payment: Authorization { method: payment.0, reference: payment.1 },
                history,
                placed_at,
            }
        },
    )
}

fn checkout() -> impl Strategy<Value = Checkout> {
    use CheckoutPhase::{Aborted, Placed, Started};
    let phase = proptest::sample::select(vec![Started, Placed, Aborted]);
    let payment = (".{0,9}", option::of(".{0,9}"));
    (
        any::<(u128, i64, Option<u128>)>(),
        phase,
        vec(order_line(), 0..4),
        details(),
        payment,
        option::of(refusal()),
        option::of(guard()),
    )
        .prop_map(|((order, total, user), phase, lines, details, (method, token), refusal, key)| {
            Checkout {
                order: OrderId(order),
                phase,
                lines,
                total,
                details,
                payment: PaymentMethod { method, token },
                user: user.map(UserId),
                refusal,
                key,
            }
        })
}

fn lifetime() -> impl Strategy<Value = Seconds> {
    any::<u32>().prop_map(Seconds)
}

fn cart_event() -> impl Strategy<Value = CartEvent> {
    let line = || (sku(), any::<u32>(), any::<i64>());
    prop_oneof![
        (any::<Option<u128>>(), currency(), option::of(".{0,9}"), lifetime()).prop_map(
            |(owner, currency, metadata, lifetime)| CartEvent::Created {
                owner: owner.map(UserId),
                currency,
                metadata: metadata.map(Into::into),
                lifetime,
            }
        ),
        line().prop_map(|(sku, quantity, unit_price)| CartEvent::ItemAdded { sku, quantity, unit_price }),
        line().prop_map(|(sku, quantity, unit_price)| CartEvent::ItemQuantitySet {
            sku,
            quantity,
            unit_price
        }),
        sku().prop_map(|sku| CartEvent::ItemRemoved { sku }),
        Just(CartEvent::Cleared),
        checkout().prop_map(|checkout| CartEvent::CheckoutStarted(Box::new(checkout))),
        order().prop_map(|order| CartEvent::CheckoutPlaced { order: Arc::new(order) }),
        (any::<u128>(), refusal())
            .prop_map(|(order, refusal)| CartEvent::CheckoutAborted { order: OrderId(order), refusal }),
        any::<u128>().prop_map(|order| CartEvent::CheckoutSettled { order: OrderId(order) }),
    ]
}

fn stock_event() -> impl Strategy<Value = StockEvent> {
    let cause = prop_oneof![
        Just(Adjustment::Counted),
        ".{0,9}".prop_map(|reason| Adjustment::Reason(reason.into())),
    ];
    let hold = || any::<u128>().prop_map(HoldId);
    prop_oneof![
        (any::<i64>(), cause).prop_map(|(delta, cause)| StockEvent::Adjusted { delta, cause }),
        (hold(), any::<u32>(), shop_time(), any::<Option<u128>>()).prop_map(
            |(id, quantity, deadline, checkout)| StockEvent::HoldPlaced {
                id,
                quantity,
                deadline,
                checkout: checkout.map(CartId),
            }
        ),
        (hold(), shop_time()).prop_map(|(id, deadline)| StockEvent::HoldExtended { id, deadline }),
        hold().prop_map(|id| StockEvent::HoldReleased { id }),
        hold().prop_map(|id| StockEvent::HoldExpired { id }),
        hold().prop_map(|id| StockEvent::HoldSold { id }),
        any::<(u128, u32, bool)>().prop_map(|(order, quantity, remembered)| StockEvent::Restocked {
            order: OrderId(order),
            quantity,
            remembered
        }),
        any::<u128>().prop_map(|order| StockEvent::RestockForgotten { order: OrderId(order) }),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let subject = prop_oneof![
        (any::<u128>(), vec(cart_event(), 0..4)).prop_map(|(id, events)| Subject::Cart(CartId(id), events)),
        (sku(), vec(stock_event(), 0..4)).prop_map(|(sku, events)| Subject::Stock(sku, events)),
    ];
    (subject, any::<u64>(), wall(), shop_time(), option::of(key()))
        .prop_map(|(subject, version, wall, shop, key)| Change { subject, version, wall, shop, key })
}

fn cart_snapshot() -> impl Strategy<Value = CartSnapshot> {
    let line = (sku(), any::<u32>(), any::<i64>()).prop_map(|(sku, quantity, unit_price)| Line {
        sku,
        quantity,
        unit_price,
    });
    let ids = (any::<(u128, u64, Option<u128>)>(), option::of(any::<(u128, Option<i64>, bool)>()));
    let times = (wall(), wall(), wall(), lifetime());
    (ids, currency(), vec(line, 0..5), option::of(".{0,9}"), times, option::of(checkout()), vec(key(), 0..4))
        .prop_map(|(((id, version, owner), last_order), currency, lines, metadata, times, checkout, keys)| {
            let last_order = last_order.map(|(id, placed_at, is_current)| LastOrder {
                id: OrderId(id),
                placed_at: placed_at.map(Timestamp),
                // With something in it, a cart stands for no order.
                is_current: is_current && lines.is_empty(),
            });
            CartSnapshot {
                cart: Arc::new(Cart {
                    id: CartId(id),
                    version,
                    owner: owner.map(UserId),
                    currency,
                    lines: lines.into(),
                    metadata: metadata.map(Into::into),
                    created_at: times.0,
                    updated_at: times.1,
                    expires_at: times.2,
                    lifetime: times.3,
                    checkout: checkout.map(Box::new),
                    last_order: last_order.map(Box::new),
                }),
                keys,
            }
        })
}

fn stock_snapshot() -> impl Strategy<Value = StockSnapshot> {
    let hold = (any::<u128>(), any::<u32>(), shop_time(), any::<Option<u128>>()).prop_map(
        |(id, quantity, deadline, checkout)| {
            (HoldId(id), Hold { quantity, deadline, checkout: checkout.map(CartId) })
        },
    );
    let level = any::<(u64, i64, i64, i64, i64)>();
    (sku(), level, vec(hold, 0..5), vec(any::<u128>(), 0..3), vec(key(), 0..4)).prop_map(
        |(sku, (version, on_hand, held, sold, stocked), holds, restocked, keys)| StockSnapshot {
            stock: Stock::restore(sku, StockLevel { version, on_hand, held, sold, stocked }, holds)
                .remembering(restocked.into_iter().map(OrderId)),
            keys,
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    (any::<(u128, u16, u64)>(), shop_time(), vec(change(), 0..6)).prop_map(
        |((incarnation, lane, sequence), shop, changes)| Entry {
            incarnation: IncarnationId(incarnation),
            lane: Lane(lane),
            sequence,
            shop,
            changes,
        },
    )
}

proptest! {
    #[test]
    fn an_entry_comes_back(entry in entry()) {
        let bytes = encode_entry(&entry);
        prop_assert_eq!(decode_entry(&bytes, EntryName::of(&entry)), Ok(entry));
    }

    #[test]
    fn changes_come_back(changes in vec(change(), 0..5)) {
        prop_assert_eq!(decode_changes(&encode_changes(&changes)), Ok(changes));
    }

    #[test]
    fn a_cart_snapshot_comes_back(snapshot in cart_snapshot()) {
        prop_assert_eq!(decode_cart_snapshot(&encode_cart_snapshot(&snapshot)), Ok(snapshot));
    }

    #[test]
    fn a_stock_snapshot_comes_back(snapshot in stock_snapshot()) {
        prop_assert_eq!(decode_stock_snapshot(&encode_stock_snapshot(&snapshot)), Ok(snapshot));
    }

    #[test]
    fn any_other_byte_is_detected(entry in entry(), at in any::<prop::sample::Index>(), other in 1..=255_u8) {
        let mut bytes = encode_entry(&entry);
        let at = at.index(bytes.len());
        bytes[at] ^= other;
        prop_assert!(decode_entry(&bytes, EntryName::of(&entry)).is_err());
    }

    #[test]
    fn any_missing_end_is_detected(entry in entry(), at in any::<prop::sample::Index>()) {
        let bytes = encode_entry(&entry);
        let torn = &bytes[..at.index(bytes.len())];
        prop_assert!(decode_entry(torn, EntryName::of(&entry)).is_err());
    }

    #[test]
    fn garbage_is_an_error_not_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        let tagged = [&[1], &bytes[..]].concat();
        let _decoded = (decode_cart_snapshot(&tagged), decode_stock_snapshot(&tagged), decode_changes(&tagged));
        let name = EntryName { incarnation: IncarnationId(0), lane: Lane(0), sequence: 0 };
        prop_assert!(decode_entry(&bytes, name).is_err());
    }
}

#[test]
fn a_newer_version_is_said_to_be_newer() {
    assert_eq!(decode_cart_snapshot(&[2, 0]), Err(Malformed::Version(2)));
    assert_eq!(decode_changes(&[9]).err(), Some(Malformed::Version(9)));
    assert_eq!(decode_stock_snapshot(&[]), Err(Malformed::Torn(0)));
}

/// What programs wrote to disk, this one must read; and what it writes, older ones of version 1 must read.
#[test]
fn the_bytes_do_not_change() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let written: String =
        golden_samples().into_iter().map(|(name, bytes)| format!("{name} {}\n", hex(bytes))).collect();
    assert!(written == include_str!("golden/v1.txt"), "{written}");
}

/// The version after this one may add a field: field 2047, a varint.
const UNKNOWN_FIELD: [u8; 3] = [0xf8, 0x7f, 1];

#[test]
fn a_field_of_the_version_after_is_passed_over() {
    let entry = samples::entry();
    let mut frame = encode_entry(&entry);
    frame.truncate(frame.len() - size_of::<u64>());
    frame.extend(UNKNOWN_FIELD);
    let checksum = xxh3_64(&frame);
    frame.extend(checksum.to_le_bytes());
    assert_eq!(decode_entry(&frame, EntryName::of(&entry)), Ok(entry));

    let grown = |mut record: Vec<u8>| {
        record.extend(UNKNOWN_FIELD);
        record
    };
    let cart = samples::cart(&samples::order());
    let stock = samples::stock();
    assert_eq!(decode_cart_snapshot(&grown(encode_cart_snapshot(&cart.snapshot()))), Ok(cart.snapshot()));
    assert_eq!(decode_stock_snapshot(&grown(encode_stock_snapshot(&stock.snapshot()))), Ok(stock.snapshot()));
    for changes in [cart.changes, stock.changes, every_event()] {
        assert_eq!(decode_changes(&grown(encode_changes(&changes))), Ok(changes));
    }
}

fn golden_samples() -> Vec<(&'static str, Vec<u8>)> {
    let cart = samples::cart(&samples::order());
    let stock = samples::stock();
    vec![
        ("entry", encode_entry(&samples::entry())),
        ("cart_image", encode_cart_snapshot(&cart.snapshot())),
        ("stock_image", encode_stock_snapshot(&stock.snapshot())),
        ("cart_changes", encode_changes(&cart.changes)),
        ("stock_changes", encode_changes(&stock.changes)),
        ("every_event", encode_changes(&every_event())),
        ("events_of_this_version", encode_changes(&later_events())),
    ]
}

/// What was added to the first version's events and outcomes, each in a form that the version before reads as something safe.
fn later_events() -> Vec<Change> {
    let order = OrderId(5);
    let reason = || "away".to_owned();
    let refusals =
        [AbortReason::PaymentUnavailable { reason: reason() }, AbortReason::Unavailable { reason: reason() }];
    let mut events = samples::cart(&samples::order()).changes.into_iter().filter_map(|change| match change {
        Change { subject: Subject::Cart(_, events), .. } => Some(events),
        _ => None,
    });
    let started = events.find_map(|events| match events.into_iter().next() {
        Some(CartEvent::CheckoutStarted(mut checkout)) => {
            checkout.user = Some(UserId(77));
            Some(CartEvent::CheckoutStarted(checkout))
        }
        _ => None,
    });
    let aborted = |refusal: &AbortReason| CartEvent::CheckoutAborted { order, refusal: refusal.clone() };
    let cart = started.into_iter().chain(refusals.iter().map(aborted)).collect();
    let stock = vec![
        StockEvent::Restocked { order, quantity: 3, remembered: true },
        StockEvent::RestockForgotten { order },
    ];
    let subjects = [Subject::Cart(CartId(1), cart), Subject::Stock(samples::sku(), stock)];
    let change = |subject| Change { subject, version: 3, wall: Timestamp(-1), shop: ShopTime(4), key: None };
    subjects.map(change).into()
}

#[test]
fn a_cart_of_the_version_before_stands_for_its_last_order_while_nothing_is_in_it() {
    let byte = |at: &[u8]| u8::from_str_radix(std::str::from_utf8(at).unwrap(), 16).unwrap();
    let written = include_str!("golden/v1_cart_before.txt").trim_end().as_bytes();
    let written: Vec<u8> = written.chunks(2).map(byte).collect();
    let cart = decode_cart_snapshot(&written).unwrap().cart;
    let last = LastOrder { id: OrderId(5), placed_at: None, is_current: true };
    assert_eq!((cart.lines.len(), cart.last_order.as_deref()), (0, Some(&last)));

    let now = samples::cart(&samples::order()).snapshot();
    let line = Line { sku: samples::sku(), quantity: 1, unit_price: 295 };
    let filled = Cart { lines: Box::new([line]), ..Cart::clone(&now.cart) };
    let filled = CartSnapshot { cart: Arc::new(filled), ..now };
    let mut written = encode_cart_snapshot(&filled);
    // Without the two bytes of the field that the version before did not have.
    written.truncate(written.len() - 2);
    let cart = decode_cart_snapshot(&written).unwrap().cart;
    assert_eq!((cart.order(), cart.last_order.as_deref().map(|last| last.id)), (None, Some(OrderId(5))));
}

/// One change with each event and each outcome.
fn every_event() -> Vec<Change> {
    let (sku, order): (Sku, _) = ("85123A".parse().unwrap(), OrderId(5));
    let shortage = Shortage { sku: sku.clone(), requested: 5, available: -1 };
    let refusals = [
        AbortReason::InsufficientStock(vec![shortage]),
        AbortReason::PaymentDeclined { reason: "no".to_owned() },
    ];
    let cart = vec![
        CartEvent::ItemQuantitySet { sku: sku.clone(), quantity: 2, unit_price: 295 },
        CartEvent::ItemRemoved { sku: sku.clone() },
        CartEvent::Cleared,
        CartEvent::CheckoutAborted { order, refusal: refusals[0].clone() },
        CartEvent::CheckoutAborted { order, refusal: refusals[1].clone() },
    ];
    let id = HoldId(6);
    let stock = vec![
        StockEvent::Adjusted { delta: -2, cause: Adjustment::Reason("broken".into()) },
        StockEvent::HoldExtended { id, deadline: ShopTime(9) },
        StockEvent::HoldReleased { id },
        StockEvent::HoldExpired { id },
        StockEvent::Restocked { order, quantity: 3, remembered: false },
    ];
    let outcomes = [
        Outcome::Hold { id, quantity: 2, deadline: ShopTime(9) },
        Outcome::Batch([OperationOutcome::Applied, OperationOutcome::NoPrice].into()),
        Outcome::CheckoutStarted(order),
        Outcome::Ordered(order),
        Outcome::CheckoutRefused(order, Box::new(refusals[0].clone())),
        Outcome::CheckoutsToAsk([(order, CartId(1))].into()),
    ];
    let subjects = [Subject::Cart(CartId(1), cart), Subject::Stock(sku, stock)];
    let subjects = subjects.into_iter().chain(std::iter::repeat(Subject::Cart(CartId(1), vec![])));
    let keys = outcomes.map(|outcome| KeyRecord { key: 7, request: 8, at: ShopTime(9), outcome });
    let change = |(subject, key)| Change {
        subject,
        version: 3,
        wall: Timestamp(-1),
        shop: ShopTime(4),
        key: Some(key),
    };
    subjects.zip(keys).map(change).collect()
}
