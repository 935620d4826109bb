//! Whoever was declared dead can write nothing more; and one process at a time has the files.

use smartcart_domain::failure::{Effect, Failure};
use smartcart_domain::{entry::Lane, id::IncarnationId};
use smartcart_engine::journal::AppendError;
use smartcart_persistence::{
    error::OpenError,
    sqlite::{self, MissingChanges},
};

use crate::backend::Sqlite;
use smartcart_testkit::conformance::{backend::Backend as _, journal::append, samples::entry};

#[tokio::test]
async fn a_sealed_journal_takes_nothing() {
    let shop = Sqlite::new().await;
    append(shop.journal(), 1, 0, 1..=2).await;
    shop.journal().seal(IncarnationId(1)).await.unwrap();
    shop.journal().seal(IncarnationId(1)).await.unwrap();

    let shop = shop.restarted().await;
    for (lane, sequence) in [(0, 3), (0, 2), (5, 1)] {
        let refused = shop.journal().append(&entry(1, lane, sequence)).await;
        assert!(
            matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
            "lane {lane}, {sequence}: {refused:?}"
        );
    }
    let kept = shop.journal().read(IncarnationId(1), Lane(0), 0, 10).await.unwrap();
    assert_eq!(kept, [entry(1, 0, 1), entry(1, 0, 2)]);
    append(shop.journal(), 2, 0, 1..=1).await;
}

#[tokio::test]
async fn an_incarnation_can_be_sealed_before_its_first_entry() {
    let shop = Sqlite::new().await;
    shop.journal().seal(IncarnationId(9)).await.unwrap();
    let refused = shop.journal().append(&entry(9, 0, 1)).await;
    assert!(
        matches!(refused, Err(AppendError::Failed(Failure { effect: Effect::Fenced, .. }))),
        "{refused:?}"
    );
    assert_eq!(shop.journal().incarnations().await.unwrap(), [(IncarnationId(9), vec![])]);
}

#[tokio::test]
async fn a_second_opener_is_told_that_the_shop_is_in_use() {
    let shop = Sqlite::new().await;
    append(shop.journal(), 1, 0, 1..=1).await;
    let refused = sqlite::open(&shop.address(), MissingChanges::Refuse).await.err().unwrap();
    assert!(matches!(&refused, OpenError::InUse { path } if path.ends_with("shop-journal.db")), "{refused}");
    assert!(refused.to_string().contains("stop the other one"), "{refused}");
    append(shop.journal(), 1, 0, 2..=2).await;

    // Also when nothing was ever written.
    let shop = Sqlite::new().await;
    assert!(matches!(
        sqlite::open(&shop.address(), MissingChanges::Refuse).await,
        Err(OpenError::InUse { .. })
    ));
}
