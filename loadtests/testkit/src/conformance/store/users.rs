use std::time::Duration;

use smartcart_domain::{
    id::{AddressId, SessionId, UserId},
    idempotency::KeyFingerprint,
    time::Timestamp,
    users::{Address, Session, User},
};
use smartcart_engine::store::{Conflict, StoreError, TableKey};

use super::super::{backend::Shop, samples::user};

fn key(key: u128, request: u64) -> Option<TableKey> {
    Some(TableKey { guard: KeyFingerprint { key, request }, now: Timestamp(0) })
}

fn session(id: u128, user: u128) -> Session {
    let (created_at, expires_at) = (Timestamp(100), Timestamp(1_000));
    Session { id: SessionId(id), user: UserId(user), generation: 1, created_at, expires_at, revoked: false }
}

pub async fn an_address_has_one_account(backend: impl Shop) {
    let store = backend.store();
    let ada = user(1, "Ada@Example.com");
    assert!(!store.create_user(&ada, key(1, 1)).await.unwrap().replayed);
    let taken = store.create_user(&user(2, "ada@example.COM"), None).await;
    assert!(matches!(taken, Err(StoreError::Conflict(Conflict::EmailTaken))), "{taken:?}");
    let bob = user(2, "bob@example.com");
    store.create_user(&bob, None).await.unwrap();

    let next = User { version: 2, name: "Ada L.".to_owned(), ..ada.clone() };
    store.update_user(&next, key(2, 2)).await.unwrap();
    let stale = store.update_user(&next, None).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 2 })), "{stale:?}");
    assert!(store.update_user(&next, key(2, 2)).await.unwrap().replayed);
    let of_key = |key: Option<TableKey>| store.user_of_key(key.unwrap());
    assert_eq!(of_key(key(2, 2)).await.unwrap(), Some(next.clone()));
    assert_eq!(of_key(key(77, 2)).await.unwrap(), None);
    let reused = of_key(key(2, 3)).await;
    assert!(matches!(reused, Err(StoreError::KeyReused)), "{reused:?}");
    let hers = User { version: 2, email: "ADA@example.com".to_owned(), ..bob.clone() };
    let taken = store.update_user(&hers, None).await;
    assert!(matches!(taken, Err(StoreError::Conflict(Conflict::EmailTaken))), "{taken:?}");
    let nobody = store.update_user(&user(9, "nobody@example.com"), None).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)), "{nobody:?}");

    // The account as it is now.
    let replayed = store.create_user(&user(3, "Ada@Example.com"), key(1, 1)).await.unwrap();
    assert_eq!((replayed.value, replayed.replayed), (next.clone(), true));
    let backend = backend.restarted().await;
    assert_eq!(backend.store().user_by_email("aDA@example.com").await.unwrap(), Some(next.clone()));
    assert_eq!(backend.store().user(UserId(1)).await.unwrap(), Some(next));
    assert_eq!(backend.store().user(UserId(3)).await.unwrap(), None);
}

pub async fn sessions_rotate_and_end(backend: impl Shop) {
    let store = backend.store();
    store.create_user(&user(1, "ada@example.com"), None).await.unwrap();
    for id in 1..=3 {
        store.create_session(&session(id, 1), key(id, 1)).await.unwrap();
    }
    let replayed = store.create_session(&session(8, 1), key(1, 1)).await.unwrap();
    assert_eq!((replayed.value, replayed.replayed), (session(1, 1), true));

    let rotated =
        store.rotate_session(SessionId(1), 1, Timestamp(2_000), Duration::ZERO, key(9, 1)).await.unwrap();
    let expected = Session { generation: 2, expires_at: Timestamp(2_000), ..session(1, 1) };
    assert_eq!((rotated.value, rotated.replayed), (expected.clone(), false));
    assert!(
        store
            .rotate_session(SessionId(1), 1, Timestamp(2_000), Duration::ZERO, key(9, 1))
            .await
            .unwrap()
            .replayed
    );
    let theft = store.rotate_session(SessionId(1), 1, Timestamp(2_000), Duration::ZERO, None).await;
    assert!(matches!(theft, Err(StoreError::Stale { version: 2 })), "{theft:?}");

    let revoke = async |key| {
        let written = store.revoke_session(SessionId(2), key).await.unwrap();
        (written.value, written.replayed)
    };
    assert_eq!(revoke(key(10, 1)).await, (true, false));
    assert_eq!(revoke(key(10, 1)).await, (true, true));
    // It was over before: no other key has ended it.
    for other in [None, key(11, 1), key(11, 1)] {
        assert_eq!(revoke(other).await, (false, false));
    }
    let ended = store.rotate_session(SessionId(2), 1, Timestamp(2_000), Duration::ZERO, None).await;
    assert!(matches!(ended, Err(StoreError::NotFound)), "{ended:?}");
    let ada = store.user(UserId(1)).await.unwrap().unwrap();
    let next = User { version: 2, password_hash: "another".to_owned(), ..ada };
    let change = || store.change_password(&next, Some(SessionId(1)), key(12, 1));
    assert!(!change().await.unwrap().replayed);
    // Whoever signs in later knows the new password, and a retry does not end that session.
    store.create_session(&session(4, 1), None).await.unwrap();
    assert!(change().await.unwrap().replayed);
    let mut ended = store.revoked_sessions_of(UserId(1)).await.unwrap();
    ended.sort();
    assert_eq!(ended, [SessionId(2), SessionId(3)]);
    let mut revoked = store.revoked_sessions(Timestamp(500)).await.unwrap();
    revoked.sort();
    assert_eq!(revoked, [SessionId(2), SessionId(3)]);
    assert_eq!(store.revoked_sessions(Timestamp(1_000)).await.unwrap(), []);
    assert_eq!(store.session(SessionId(1)).await.unwrap(), Some(expected));
    let none = User { version: 3, ..next };
    store.change_password(&none, None, None).await.unwrap();
    assert_eq!(store.revoked_sessions_of(UserId(1)).await.unwrap().len(), 4);
    assert_eq!(store.session(SessionId(8)).await.unwrap(), None);
}

pub async fn two_tabs_may_refresh_at_once(backend: impl Shop) {
    let store = backend.store();
    store.create_user(&user(1, "ada@example.com"), None).await.unwrap();
    store.create_session(&session(1, 1), None).await.unwrap();
    let rotate = async |generation, at, key| {
        store.rotate_session(SessionId(1), generation, Timestamp(at), Duration::from_millis(100), key).await
    };
    let first = rotate(1, 2_000, None).await.unwrap().value;
    assert_eq!(first.generation, 2);
    // The other tab, a moment later, gets the same; and again, when it has not heard it.
    let second = rotate(1, 2_099, key(9, 1)).await.unwrap();
    assert_eq!((second.value, second.replayed), (first.clone(), false));
    assert!(rotate(1, 2_200, key(9, 1)).await.unwrap().replayed);
    assert_eq!(store.session(SessionId(1)).await.unwrap(), Some(first));
    // Whoever comes when the moment has passed, or with an older one still, is no tab.
    let late = rotate(1, 2_100, None).await;
    assert!(matches!(late, Err(StoreError::Stale { version: 2 })), "{late:?}");
    rotate(2, 2_150, None).await.unwrap();
    let old = rotate(1, 2_151, None).await;
    assert!(matches!(old, Err(StoreError::Stale { version: 3 })), "{old:?}");
    store.revoke_session(SessionId(1), None).await.unwrap();
    assert!(matches!(rotate(2, 2_152, None).await, Err(StoreError::NotFound)));
}

pub async fn what_says_the_same_keeps_its_version(backend: impl Shop) {
    let store = backend.store();
    let ada = user(1, "ada@example.com");
    store.create_user(&ada, None).await.unwrap();
    let again = User { version: 2, ..ada.clone() };
    let unchanged = store.update_user(&again, key(1, 1)).await.unwrap();
    assert_eq!((unchanged.value, unchanged.replayed), (ada.clone(), false));
    assert!(store.update_user(&again, key(1, 1)).await.unwrap().replayed);
    let home = Address { id: AddressId(9), user: UserId(1), version: 1, body: "{}".to_owned() };
    store.put_address(&home, None).await.unwrap();
    let again = Address { version: 2, ..home.clone() };
    let unchanged = store.put_address(&again, key(2, 2)).await.unwrap();
    assert_eq!((unchanged.value, unchanged.replayed), (home.clone(), false));
    let replayed = store.put_address(&again, key(2, 2)).await.unwrap();
    assert_eq!((replayed.value, replayed.replayed), (home.clone(), true));
    assert_eq!(store.addresses(UserId(1)).await.unwrap(), [home]);
}

pub async fn addresses_are_versioned(backend: impl Shop) {
    let store = backend.store();
    store.create_user(&user(1, "ada@example.com"), None).await.unwrap();
    let address = |id, version, body: &str| Address {
        id: AddressId(id),
        user: UserId(1),
        version,
        body: body.to_owned(),
    };
    let home = address(9, 1, "{\"city\":\"London\"}");
    store.put_address(&home, key(1, 1)).await.unwrap();
    let replayed = store.put_address(&address(55, 1, "{\"city\":\"London\"}"), key(1, 1)).await.unwrap();
    assert_eq!((replayed.value, replayed.replayed), (home.clone(), true));
    store.put_address(&address(4, 1, "{}"), None).await.unwrap();

    let moved = address(9, 2, "{\"city\":\"Turin\"}");
    store.put_address(&moved, None).await.unwrap();
    let stale = store.put_address(&moved, None).await;
    assert!(matches!(stale, Err(StoreError::Stale { version: 2 })), "{stale:?}");
    let missing = store.put_address(&address(5, 2, "{}"), None).await;
    assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
    assert_eq!(store.addresses(UserId(1)).await.unwrap(), [moved, address(4, 1, "{}")]);

    let somebody_elses = store.delete_address(UserId(2), AddressId(9), None).await;
    assert!(matches!(somebody_elses, Err(StoreError::NotFound)), "{somebody_elses:?}");
    store.delete_address(UserId(1), AddressId(9), key(2, 2)).await.unwrap();
    assert!(store.delete_address(UserId(1), AddressId(9), key(2, 2)).await.unwrap().replayed);
    assert_eq!(store.addresses(UserId(1)).await.unwrap(), [address(4, 1, "{}")]);
    assert_eq!(store.addresses(UserId(2)).await.unwrap(), []);
}
