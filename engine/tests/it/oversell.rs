use std::sync::Arc;

use smartcart_domain::checkout::AbortReason;
use smartcart_domain::{
    inventory::StockCommand,
    request::{CheckoutRejection, RequestError},
};

use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_buyers_of_a_thousand_units_buy_exactly_a_thousand() {
    let shop = Arc::new(Shop::open().await);
    shop.stock("mug", 1000).await;
    let buyers = (0..64).map(|buyer: u32| {
        let shop = shop.clone();
        tokio::spawn(async move {
            let mut bought = 0;
            for turn in 0.. {
                let cart = shop.cart().await;
                let wanted = 1 + (buyer + turn) % 3;
                shop.add(cart, "mug", wanted).await.unwrap();
                match shop.checkout(cart, &format!("{buyer}-{turn}")).await {
                    Ok(_) => bought += i64::from(wanted),
                    Err(RequestError::Rejected(CheckoutRejection::Aborted {
                        reason: AbortReason::InsufficientStock(_),
                        replayed: false,
                    })) => {
                        if shop.level("mug").await.on_hand == 0 {
                            break;
                        }
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            bought
        })
    });
    let mut bought = 0;
    for buyer in buyers.collect::<Vec<_>>() {
        bought += buyer.await.unwrap();
    }
    let level = shop.level("mug").await;
    assert_eq!((bought, level.sold, level.on_hand, level.held), (1000, 1000, 0, 0));
    Arc::into_inner(shop).expect("the buyers have gone").close_and_audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_falls_short_says_of_what_and_keeps_nothing() {
    let shop = Shop::open().await;
    for (name, units) in [("mug", 5), ("pot", 1), ("tin", 0)] {
        shop.stock(name, units).await;
    }
    let cart = shop.cart().await;
    for name in ["mug", "pot", "tin"] {
        shop.add(cart, name, 2).await.unwrap();
    }
    let Err(RequestError::Rejected(CheckoutRejection::Aborted {
        reason: AbortReason::InsufficientStock(short),
        replayed: false,
    })) = shop.checkout(cart, "k").await
    else {
        panic!("sold what is not there")
    };
    let said: Vec<_> = short.iter().map(|s| (s.sku.as_str(), s.requested, s.available)).collect();
    assert_eq!(said, [("pot", 2, 1), ("tin", 2, 0)]);
    assert_eq!(shop.level("mug").await.held, 0, "the holds are let go before the answer");
    shop.ask_stock("mug", StockCommand::SetOnHand { on_hand: 0 }).await.unwrap();
    shop.close_and_audit().await;
}
