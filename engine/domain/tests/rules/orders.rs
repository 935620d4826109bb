use proptest::prelude::*;
use smartcart_domain::{
    id::{CartId, OrderId},
    orders::{CheckoutDetails, ForbiddenTransition, Order, OrderStatus, StatusChange, status_after},
    payment::Authorization,
    time::Timestamp,
};

use crate::given::{NOON, gbp};
use OrderStatus::{Cancelled, Delivered, Packed, Paid, Placed, Refunded, Shipped};

fn placed() -> Order {
    Order {
        id: OrderId(9),
        version: 1,
        status: Placed,
        cart: CartId(7),
        user: None,
        currency: gbp(),
        lines: Vec::new(),
        total: 0,
        details: CheckoutDetails::default(),
        payment: Authorization { method: "invoice".to_owned(), reference: "9".to_owned() },
        history: vec![StatusChange { status: Placed, at: NOON }],
        placed_at: NOON,
    }
}

/// The order after these transitions; the one that is forbidden, if there is one.
fn after(steps: &[OrderStatus]) -> Result<Order, ForbiddenTransition> {
    steps.iter().try_fold(placed(), |order, to| order.transition(*to, Timestamp(NOON.0 + 1)))
}

fn statuses(order: &Order) -> Vec<OrderStatus> {
    order.history.iter().map(|change| change.status).collect()
}

#[test]
fn an_order_goes_forward_only() {
    assert!(Placed.next().contains(&Paid));
    assert!(Placed.next().contains(&Cancelled));
    assert!(!Shipped.next().contains(&Cancelled), "what is on its way comes back as a refund");
    assert!(Delivered.next().contains(&Refunded));
    assert!(Cancelled.next().is_empty() && Refunded.next().is_empty());
}

#[test]
fn money_may_come_after_the_goods_have_gone() {
    for way in [&[Packed][..], &[Packed, Shipped], &[Packed, Shipped, Delivered]] {
        let before = after(way).unwrap();
        let paid = before.transition(Paid, Timestamp(5)).unwrap();
        assert_eq!((paid.status, paid.version), (before.status, before.version + 1), "{way:?}");
        assert_eq!(paid.history.last(), Some(&StatusChange { status: Paid, at: Timestamp(5) }));
    }
    let refunded = after(&[Packed, Paid, Shipped, Delivered, Refunded]).unwrap();
    assert_eq!(statuses(&refunded), [Placed, Packed, Paid, Shipped, Delivered, Refunded]);
}

#[test]
fn an_order_is_paid_once() {
    for way in
        [&[Paid, Paid][..], &[Paid, Packed, Paid], &[Packed, Paid, Paid], &[Packed, Paid, Shipped, Paid]]
    {
        let forbidden = after(way).unwrap_err();
        assert_eq!(forbidden.to, Paid, "{way:?}");
    }
    for ended in [&[Cancelled, Paid][..], &[Paid, Refunded, Paid]] {
        after(ended).unwrap_err();
    }
}

#[test]
fn every_state_reads_back_as_it_is_written() {
    for status in OrderStatus::ALL {
        assert_eq!(OrderStatus::parse(status.as_str()), Some(status));
    }
}

proptest! {
    /// Whatever is asked: an order's history leads to its status, no other history does, and it is paid at most once.
    #[test]
    fn a_history_leads_to_the_status(asked in proptest::collection::vec(0..7_usize, 0..12)) {
        let mut order = placed();
        for to in asked.into_iter().map(|index| OrderStatus::ALL[index]) {
            match order.transition(to, NOON) {
                Ok(next) => {
                    prop_assert_eq!(next.version, order.version + 1);
                    prop_assert!(next.status == to || (to == Paid && next.status == order.status));
                    order = next;
                }
                Err(_) => {
                    let mut history = order.history.clone();
                    history.push(StatusChange { status: to, at: NOON });
                    prop_assert_eq!(status_after(&history), None);
                }
            }
            prop_assert_eq!(status_after(&order.history), Some(order.status));
            prop_assert_eq!(order.history.len() as u64, order.version);
            prop_assert!(statuses(&order).iter().filter(|status| **status == Paid).count() <= 1);
        }
    }
}
