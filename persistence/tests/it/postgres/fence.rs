//! Whoever was declared dead writes nothing more, and is declared dead only when nothing of it is in flight.

use smartcart_domain::failure::{Effect, Failure};
use std::time::Duration;

use smartcart_domain::{
    id::{CartId, IncarnationId},
    time::ShopTime,
};
use smartcart_engine::{
    journal::{AppendError, Journal as _},
    registry::{MemberState, Registry as _, RegistryError},
    store::{EntityStore as _, StoreError},
};
use sqlx::Connection as _;

use crate::backend::Postgres;
use smartcart_testkit::conformance::{
    backend::{Backend as _, Fleet as _, Shop as _, member},
    journal::append,
    samples::{cart, entry, rows},
};

const ONE: IncarnationId = IncarnationId(1);
/// Its fence is apart from those of 1 and 2, as those of random incarnations are.
const FAR: IncarnationId = IncarnationId(7 << 100);

#[tokio::test]
async fn a_dead_member_changes_no_row() {
    let shop = Postgres::new().await;
    append(shop.journal(), 1, 0, 1..=2).await;
    shop.store().flush(&rows([cart(1).adding("85123A", 1).snapshot()])).await.unwrap();
    shop.registry().join(&member(FAR.0), ShopTime(0)).await.unwrap();
    assert!(shop.registry().declare_dead(FAR, ONE).await.unwrap());

    for (lane, sequence) in [(0, 3), (0, 2), (5, 1)] {
        let refused = shop.journal().append(&entry(1, lane, sequence)).await;
        assert!(
            matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
            "lane {lane}, {sequence}: {refused:?}"
        );
    }
    let flushed = shop.store().flush(&rows([cart(2).adding("85123A", 1).snapshot()])).await;
    assert!(
        matches!(flushed, Err(StoreError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{flushed:?}"
    );
    assert!(shop.store().load_cart(CartId(2)).await.unwrap().is_none());
    let registry = shop.registry();
    assert_eq!(
        registry.heartbeat(ONE, ShopTime(0)).await.unwrap_err(),
        RegistryError::Failed(Failure::fenced())
    );
    assert_eq!(registry.leave(ONE).await.unwrap_err(), RegistryError::Failed(Failure::fenced()));
    assert_eq!(registry.deregister(ONE).await.unwrap_err(), RegistryError::Failed(Failure::fenced()));
    assert_eq!(registry.claim(ONE, &[]).await.unwrap_err(), RegistryError::Failed(Failure::fenced()));
    assert_eq!(
        registry.hand_over(ONE, None, &[]).await.unwrap_err(),
        RegistryError::Failed(Failure::fenced())
    );
    // And it may declare nobody dead.
    assert_eq!(registry.declare_dead(ONE, FAR).await.unwrap_err(), RegistryError::Failed(Failure::fenced()));
}

#[tokio::test]
async fn who_never_joined_writes_nothing() {
    let shop = Postgres::new().await;
    let refused = shop.journal().append(&entry(9, 0, 1)).await;
    assert!(
        matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{refused:?}"
    );
    let stranger = shop.as_pod(9).await;
    let flushed = stranger.store.flush(&rows([cart(1).adding("85123A", 1).snapshot()])).await;
    assert!(
        matches!(flushed, Err(StoreError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{flushed:?}"
    );
}

#[tokio::test]
async fn declaring_dead_waits_for_what_is_in_flight() {
    let shop = Postgres::new().await;
    shop.registry().join(&member(FAR.0), ShopTime(0)).await.unwrap();
    let mut connection = shop.raw().await;
    let mut in_flight = connection.begin().await.unwrap();
    let (id, key) = (1_u128.to_be_bytes().to_vec(), 0_i64);
    sqlx::query("SELECT fence($1, $2)").bind(&id).bind(key).execute(&mut *in_flight).await.unwrap();

    let registry = shop.shared.registry.clone();
    let declaring = tokio::spawn(async move { registry.declare_dead(FAR, ONE).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!declaring.is_finished());
    // The one in flight is still allowed, and is seen by whoever finishes the journal.
    sqlx::query("INSERT INTO entry (incarnation, lane, sequence, body) VALUES ($1, 0, 1, '')")
        .bind(&id)
        .execute(&mut *in_flight)
        .await
        .unwrap();
    in_flight.commit().await.unwrap();
    assert!(declaring.await.unwrap().unwrap());
    let lanes = shop.journal().incarnations().await.unwrap();
    assert_eq!(lanes.len(), 1);
    let refused = shop.journal().append(&entry(1, 0, 2)).await;
    assert!(
        matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn of_two_who_declare_each_other_dead_one_is() {
    for _ in 0..20 {
        let shop = Postgres::new().await;
        shop.registry().join(&member(FAR.0), ShopTime(0)).await.unwrap();
        let (one, other) =
            tokio::join!(shop.registry().declare_dead(ONE, FAR), shop.registry().declare_dead(FAR, ONE));
        let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
        assert_eq!(won, Ok(true));
        assert_eq!(lost, Err(RegistryError::Failed(Failure::fenced())));
        let members = shop.registry().heartbeat(IncarnationId(2), ShopTime(0)).await.unwrap().members;
        let dead = members.iter().filter(|member| member.state == MemberState::Dead).count();
        assert_eq!(dead, 1);
    }
}

/// Writers and the one that declares them dead at the same time: what was acknowledged is in the journal, and nothing
/// comes after it.
#[tokio::test]
async fn nothing_is_acknowledged_after_the_declaration() {
    for round in 0..10_u64 {
        let shop = Postgres::new().await;
        shop.registry().join(&member(FAR.0), ShopTime(0)).await.unwrap();
        let writers: Vec<_> = (0..4_u16)
            .map(|lane| {
                let journal = shop.shared.journal.clone();
                tokio::spawn(async move {
                    for sequence in 1.. {
                        match journal.append(&entry(1, lane, sequence)).await {
                            Ok(()) => {}
                            Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. })) => {
                                return sequence - 1;
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                    0
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(5 + round)).await;
        assert!(shop.registry().declare_dead(FAR, ONE).await.unwrap());
        let known = shop.journal().incarnations().await.unwrap();
        for (lane, writer) in (0..).zip(writers) {
            let acknowledged = writer.await.unwrap();
            let last = known.iter().flat_map(|(_, lanes)| lanes).find(|(of, _)| of.0 == lane);
            assert_eq!(last.map_or(0, |(_, last)| *last), acknowledged, "lane {lane}");
        }
    }
}
