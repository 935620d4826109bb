//! Settings that every server under measurement needs.

pub const SETTINGS: [(&str, &str); 4] = [
    ("SMARTCART_SEED", "none"),
    ("SMARTCART_MAX_LINE_QUANTITY", "2147483647"),
    // Zipf's first cart has a twelfth of the load: more connections than a cart may have by default.
    ("SMARTCART_MAX_IN_FLIGHT_PER_CART", "1024"),
    ("SMARTCART_LOG", "warn"),
];
