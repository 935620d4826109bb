//! Each reason to refuse has a problem code of its own, which the OpenAPI document explains.

use std::collections::HashSet;

use smartcart_domain::{
    cart::CartRejection,
    checkout::{AbortReason, ChangedPrices, TotalChange},
    failure::{Effect, Failure},
    id::{OrderId, Sku},
    inventory::StockRejection,
    request::{CheckoutRejection, ReadError, RequestError},
};
use smartcart_engine::{engine::orders::OrderError, store::StoreError};

use super::{Code, Problem};

/// Every variant of a rejection, with the code that clients get. A variant that is not listed does not compile, and a
/// line's variants share their code on purpose.
macro_rules! rejections {
    ($name:ident: $rejection:ty { $($variants:pat => $code:ident [$($sample:expr),*];)* }) => {
        fn $name() -> Vec<(Code, Vec<$rejection>)> {
            fn code(rejection: &$rejection) -> Code {
                match rejection { $($variants => Code::$code,)* }
            }
            let lines = vec![$((Code::$code, vec![$($sample),*]),)*];
            for (expected, samples) in &lines {
                assert!(samples.iter().all(|sample| code(sample) == *expected), "{samples:?}");
            }
            lines
        }
    };
}

fn sku() -> Sku {
    "MUG".parse().unwrap()
}

fn aborted(reason: AbortReason) -> CheckoutRejection {
    CheckoutRejection::Aborted { reason, replayed: false }
}

rejections! { cart: CartRejection {
    // A batch is refused with the code of its operation.
    CartRejection::NotFound | CartRejection::Batch { .. } => CartNotFound [
        CartRejection::NotFound,
        CartRejection::Batch { index: 3, reason: Box::new(CartRejection::NotFound) }
    ];
    CartRejection::AlreadyExists => CartExists [CartRejection::AlreadyExists];
    CartRejection::Expired => CartExpired [CartRejection::Expired];
    // To a client these are one: the last two are steps of the same checkout.
    CartRejection::CheckingOut | CartRejection::CheckoutUnderWay | CartRejection::NoSuchCheckout => CheckoutInProgress [
        CartRejection::CheckingOut,
        CartRejection::CheckoutUnderWay,
        CartRejection::NoSuchCheckout
    ];
    CartRejection::UnknownSku(_) => UnknownSku [CartRejection::UnknownSku(sku())];
    CartRejection::NoPrice(_) => NoPrice [CartRejection::NoPrice(sku())];
    CartRejection::ItemNotFound(_) => ItemNotFound [CartRejection::ItemNotFound(sku())];
    CartRejection::CartFull { .. } => CartFull [CartRejection::CartFull { limit: 100 }];
    CartRejection::QuantityOutOfRange { .. } => QuantityOutOfRange [CartRejection::QuantityOutOfRange { limit: 999 }];
    CartRejection::TotalTooLarge => TotalTooLarge [CartRejection::TotalTooLarge];
    CartRejection::CartEmpty => CartEmpty [CartRejection::CartEmpty];
    CartRejection::CartOrdered { .. } => CartOrdered [CartRejection::CartOrdered { order: OrderId(1) }];
    CartRejection::PriceChanged(_) => PriceChanged [CartRejection::PriceChanged(Box::new(ChangedPrices {
        changes: Vec::new(),
        total: TotalChange { currency: "GBP".parse().unwrap(), was: 1, now: 2 }
    }))];
    CartRejection::ProductUnavailable(_) => ProductUnavailable [CartRejection::ProductUnavailable(Vec::new())];
}}

rejections! { stock: StockRejection {
    StockRejection::InsufficientStock { .. } => InsufficientStock [StockRejection::InsufficientStock { available: 1 }];
    StockRejection::HoldNotFound => HoldNotFound [StockRejection::HoldNotFound];
    StockRejection::HoldExists => HoldExists [StockRejection::HoldExists];
    StockRejection::QuantityZero => QuantityOutOfRange [StockRejection::QuantityZero];
    StockRejection::TtlOutOfRange { .. } => TtlOutOfRange [StockRejection::TtlOutOfRange { max_seconds: 1 }];
    StockRejection::BelowHeld { .. } => BelowHeld [StockRejection::BelowHeld { held: 1 }];
    StockRejection::OnHandOutOfRange { .. } => OnHandOutOfRange [StockRejection::OnHandOutOfRange { max: 1 }];
    StockRejection::NotSold { .. } => NotSold [StockRejection::NotSold { sold: 1 }];
}}

rejections! { checkout: CheckoutRejection {
    // A checkout that did not begin has the code of the cart's refusal.
    CheckoutRejection::Cart(_) => CartEmpty [CheckoutRejection::Cart(CartRejection::CartEmpty)];
    CheckoutRejection::Aborted { reason: AbortReason::InsufficientStock(_), .. } => InsufficientStock [
        aborted(AbortReason::InsufficientStock(Vec::new()))
    ];
    CheckoutRejection::Aborted { reason: AbortReason::PaymentDeclined { .. }, .. } => PaymentDeclined [
        aborted(AbortReason::PaymentDeclined { reason: String::new() })
    ];
    // What was out of reach is no refusal of a rule; see below.
    CheckoutRejection::Aborted { reason: AbortReason::PaymentUnavailable { .. }, .. } => PaymentUnavailable [];
    CheckoutRejection::Aborted { reason: AbortReason::Unavailable { .. }, .. } => Unavailable [];
}}

fn check<R>(lines: Vec<(Code, Vec<R>)>)
where
    Problem: From<RequestError<R>>,
{
    let mut seen = HashSet::new();
    for (code, rejections) in lines {
        assert!(seen.insert(code.as_str()), "two reasons share the code {code:?}");
        assert!(
            code.status().is_client_error() || rejections.is_empty(),
            "{code:?}: a rule's refusal is no failure of ours"
        );
        for rejection in rejections {
            assert_eq!(Problem::from(RequestError::Rejected(rejection)).code(), code);
        }
    }
}

#[test]
fn every_rejection_has_a_code_of_its_own() {
    check(cart());
    check(stock());
    check(checkout());
}

#[test]
fn what_was_out_of_reach_may_be_tried_again() {
    let reason = String::new;
    for (out_of_reach, code) in [
        (AbortReason::PaymentUnavailable { reason: reason() }, Code::PaymentUnavailable),
        (AbortReason::Unavailable { reason: reason() }, Code::Unavailable),
    ] {
        assert!(!out_of_reach.is_final());
        assert!(code.status().is_server_error());
        assert_eq!(Problem::from(aborted(out_of_reach)).code(), code);
    }
}

#[test]
fn a_code_is_one_word_for_one_failure() {
    let words: HashSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), Code::ALL.len());
}

#[test]
fn whatever_port_has_failed_the_code_says_whether_something_may_have_been_done() {
    let codes = [
        (Effect::NotApplied, Code::Unavailable),
        (Effect::Fenced, Code::Unavailable),
        (Effect::Indeterminate, Code::OutcomeUnknown),
    ];
    for (effect, code) in codes {
        let failure = || Failure { effect, reason: "on purpose".to_owned() };
        let store = || StoreError::Failed(failure());
        let request = |failure: Failure| RequestError::<CartRejection>::Failed(failure);
        // A failure of the journal and one of a peer reach the client as the request's.
        let told: [Problem; 4] =
            [failure().into(), store().into(), OrderError::Store(store()).into(), request(failure()).into()];
        assert!(told.iter().all(|problem| problem.code() == code), "{effect:?}: {told:?}");
        // After a step that was done nobody says that nothing was.
        let late: [Problem; 2] = [store().of_later_step().into(), request(failure()).of_later_step().into()];
        assert!(late.iter().all(|problem| problem.code() == Code::OutcomeUnknown), "{effect:?}: {late:?}");
    }
    assert_eq!(Problem::from(ReadError("on purpose".to_owned())).code(), Code::Unavailable);
}
