//! What a journal means for the shop.

use serde_json::{Value, json};
use smartcart_testkit::http::Request;

use super::*;
use crate::client::{Outcome, Timed};

fn answer(body: Value, replayed: bool) -> Outcome {
    Outcome::Acknowledged(Answer { status: 200, replayed, body })
}

fn timed(outcome: Outcome) -> Timed {
    Timed { sent: 1, answered: 2, took: std::time::Duration::ZERO, outcome }
}

fn entry(meaning: Meaning, first: Outcome, again: Option<Outcome>) -> Entry {
    let request = Request::new("POST", "");
    Entry { request, meaning, first: timed(first), again: again.map(timed) }
}

fn lost() -> Outcome {
    Outcome::Indeterminate("the server closed the connection".into())
}

fn given(journal: Vec<Entry>) -> History {
    let mut history = History { skus: vec!["A".into()], journal, ..History::default() };
    history.stocked.insert("A".into(), 100);
    history
}

fn adjust(delta: i64, first: Outcome, again: Option<Outcome>) -> Entry {
    entry(Meaning::Adjust { sku: "A".into(), delta }, first, again)
}

#[test]
fn an_indeterminate_adjustment_widens_the_range_until_it_is_retried() {
    let stocked = |journal| given(journal).expected("A", Phase::Settled).stocked;
    assert_eq!(stocked(vec![adjust(5, answer(json!({}), false), None)]), Range::exactly(105));
    assert_eq!(stocked(vec![adjust(5, lost(), None)]), Range { low: 100, high: 105 });
    assert_eq!(stocked(vec![adjust(-5, lost(), None)]), Range { low: 95, high: 100 });
    assert_eq!(stocked(vec![adjust(5, lost(), Some(answer(json!({}), true)))]), Range::exactly(105));
    assert_eq!(stocked(vec![adjust(5, lost(), Some(answer(json!({}), false)))]), Range::exactly(105));
}

#[test]
fn a_hold_counts_until_it_is_released_sold_or_expired() {
    let held = |lasting, meaning: Option<Meaning>, outcome: Outcome, phase| {
        let mut history = given(meaning.map(|meaning| entry(meaning, outcome, None)).into_iter().collect());
        let (id, sku) = ("h".to_owned(), "A".to_owned());
        history.holds.push(Hold { id, sku, quantity: 3, lasting, live: true, busy: false });
        let Expected { held, sold, .. } = history.expected("A", phase);
        (held, sold)
    };
    let none = Range::default();
    assert_eq!(held(true, None, lost(), Phase::Settled), (Range::exactly(3), none));
    assert_eq!(held(false, None, lost(), Phase::UnderWay), (Range::up_to(3), none));
    assert_eq!(held(false, None, lost(), Phase::Settled), (none, none));
    let done = || answer(json!({}), false);
    assert_eq!(held(true, Some(Meaning::Release { hold: 0 }), done(), Phase::Settled), (none, none));
    assert_eq!(
        held(true, Some(Meaning::Release { hold: 0 }), lost(), Phase::Settled),
        (Range::up_to(3), none)
    );
    assert_eq!(
        held(true, Some(Meaning::Commit { hold: 0 }), done(), Phase::Settled),
        (none, Range::exactly(3))
    );
    assert_eq!(
        held(false, Some(Meaning::Extend { hold: 0 }), done(), Phase::Settled),
        (Range::exactly(3), none)
    );
}

#[test]
fn an_acknowledged_checkout_is_sold_once_it_has_settled() {
    let before = Lines::from([("A".to_owned(), 2)]);
    let body = json!({ "id": "o", "items": [{ "sku": "A", "quantity": 2 }] });
    let checkout = entry(Meaning::Checkout { cart: 0, before }, answer(body, false), None);
    let history = given(vec![checkout]);
    assert_eq!(history.expected("A", Phase::Settled).sold, Range::exactly(2));
    let under_way = history.expected("A", Phase::UnderWay);
    assert_eq!((under_way.sold, under_way.held), (Range::up_to(2), Range::up_to(2)));
}

#[test]
fn a_replayed_retry_was_made_before_and_a_fresh_one_then() {
    let earlier = adjust(1, lost(), Some(answer(json!({}), true)));
    assert!(matches!(earlier.fate(), Fate::MadeEarlier { .. }));
    let fresh = adjust(1, lost(), Some(answer(json!({}), false)));
    assert!(matches!(fresh.fate(), Fate::Made { .. }));
    let refused = Outcome::Refused(Answer { status: 409, replayed: false, body: Value::Null });
    assert!(matches!(adjust(1, lost(), Some(refused)).fate(), Fate::Not));
    assert!(matches!(adjust(1, lost(), None).fate(), Fate::Unknown));
}
