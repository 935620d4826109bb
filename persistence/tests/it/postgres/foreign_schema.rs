//! A database that another version has migrated, or that is none of ours.

use smartcart_persistence::{error::ConnectError, postgres};

use crate::backend::Postgres;

#[tokio::test]
async fn the_next_versions_schema_is_used_unless_it_says_otherwise() {
    let shop = Postgres::new().await;
    let mut connection = shop.raw().await;
    // What a rolling deploy leaves: the next version has migrated, this one is still being started.
    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'of the next version', TRUE, '', 0);
         ALTER TABLE cart ADD COLUMN of_the_next_version TEXT",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    postgres::migrate(&shop.address).await.unwrap();

    sqlx::raw_sql("UPDATE shop SET needs_schema = 9999").execute(&mut connection).await.unwrap();
    let refused = postgres::migrate(&shop.address).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Newer), "{refused}");
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let shop = Postgres::new().await;
    let mut connection = shop.raw().await;
    sqlx::raw_sql("UPDATE _sqlx_migrations SET checksum = '' WHERE version = 2")
        .execute(&mut connection)
        .await
        .unwrap();
    let refused = postgres::migrate(&shop.address).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Schema(_)), "{refused}");
}

#[tokio::test]
async fn other_addresses_are_refused() {
    for address in ["mysql://localhost/shop", "sqlite:shop.db", "shop"] {
        let refused = postgres::migrate(address).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Address(_)), "{address}: {refused}");
    }
    let refused = postgres::migrate("postgres://smartcart:secret@127.0.0.1:1/shop").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unreachable(_)), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
}
