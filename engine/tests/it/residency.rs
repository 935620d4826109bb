use std::time::Duration;

use smartcart_engine::{Config, commit::WriteBehindConfig, directory::ResidencyConfig};

use crate::shop::Shop;

fn restless() -> Config {
    Config {
        residency: ResidencyConfig {
            passivate_after: Duration::ZERO,
            evict_after: Duration::ZERO,
            rotation: Duration::from_millis(64),
            ..ResidencyConfig::default()
        },
        write_behind: WriteBehindConfig {
            interval: Duration::from_millis(50),
            ..WriteBehindConfig::default()
        },
        ..Config::default()
    }
}

async fn residents(shop: &Shop) -> usize {
    shop.engine.shards().iter().map(|shard| shard.carts.resident).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_carts_leave_memory_and_come_back_as_they_were() {
    let shop = Shop::open_with(restless()).await;
    let mut carts = Vec::new();
    for n in 0..200 {
        let cart = shop.cart().await;
        shop.add_keyed(cart, "mug", 1 + n % 7, &format!("k{n}")).await.unwrap();
        carts.push(cart);
    }
    for _ in 0..1_200 {
        if residents(&shop).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(residents(&shop).await, 0);
    for (n, cart) in (0..).zip(&carts) {
        assert_eq!(shop.quantity(*cart, "mug").await, 1 + n % 7);
        assert!(shop.add_keyed(*cart, "mug", 1 + n % 7, &format!("k{n}")).await.unwrap().replayed);
    }
    shop.close_and_audit().await;
}

/// Every request meets a cart that is hot, at rest, leaving, or gone.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_carts_come_and_go() {
    let shop = std::sync::Arc::new(Shop::open_with(restless()).await);
    let mut carts = Vec::new();
    for _ in 0..16 {
        carts.push(shop.cart().await);
    }
    let adders: Vec<_> = carts
        .iter()
        .map(|cart| {
            let (shop, cart) = (shop.clone(), *cart);
            tokio::spawn(async move {
                for n in 0..60_u64 {
                    shop.add(cart, "mug", 1).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(n % 40)).await;
                }
            })
        })
        .collect();
    for adder in adders {
        adder.await.unwrap();
    }
    for cart in carts {
        assert_eq!(shop.quantity(cart, "mug").await, 60);
    }
    std::sync::Arc::into_inner(shop).expect("the adders have gone").close_and_audit().await;
}
