use smartcart_domain::orders::OrderStatus;

#[test]
fn an_order_goes_forward_only() {
    use OrderStatus::{Cancelled, Delivered, Paid, Placed, Refunded, Shipped};
    assert!(Placed.next().contains(&Paid));
    assert!(Placed.next().contains(&Cancelled));
    assert!(!Shipped.next().contains(&Cancelled), "what is on its way comes back as a refund");
    assert!(Delivered.next().contains(&Refunded));
    assert!(Cancelled.next().is_empty() && Refunded.next().is_empty());
}

#[test]
fn every_state_reads_back_as_it_is_written() {
    for status in OrderStatus::ALL {
        assert_eq!(OrderStatus::parse(status.as_str()), Some(status));
    }
}
