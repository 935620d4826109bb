use smartcart_domain::{
    cart::{Cart, CartRejection},
    inventory::{Stock, StockRejection},
    request::RequestError,
};
use smartcart_engine::published::Answer;

/// An answer is moved through each layer between the actor and the caller. Whoever succeeds must not pay for what an error
/// carries: one that no longer fits belongs in a box.
#[test]
fn an_error_takes_no_more_room_than_an_answer() {
    assert_eq!(size_of::<Result<Answer<Cart>, RequestError<CartRejection>>>(), size_of::<Answer<Cart>>());
    assert_eq!(size_of::<Result<Answer<Stock>, RequestError<StockRejection>>>(), size_of::<Answer<Stock>>());
}
