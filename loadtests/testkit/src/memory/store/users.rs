use std::time::Duration;

use async_trait::async_trait;
use smartcart_domain::{
    id::{AddressId, SessionId, UserId},
    time::Timestamp,
    users::{Address, Session, User},
};
use smartcart_engine::store::{Conflict, StoreError, TableKey, UserStore, Written};

use super::{
    super::tables::{KeySubject, Tables},
    MemoryStore,
};

/// Addresses are the same without regard to case.
fn by_email<'a>(tables: &'a Tables, email: &str) -> Option<&'a User> {
    let email = email.to_lowercase();
    tables.users.values().find(|user| user.email.to_lowercase() == email)
}

fn update(tables: &mut Tables, next: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError> {
    let replayed = tables.seen(key)?.is_some();
    let stored = tables.users.get(&next.id).cloned().ok_or(StoreError::NotFound)?;
    if replayed {
        return Ok(Written { value: stored, replayed });
    }
    if stored.version + 1 != next.version {
        return Err(StoreError::Stale { version: stored.version });
    }
    if stored.says_the_same(next) {
        tables.remember(key, KeySubject::User(next.id));
        return Ok(Written { value: stored, replayed });
    }
    if by_email(tables, &next.email).is_some_and(|other| other.id != next.id) {
        return Err(Conflict::EmailTaken.into());
    }
    tables.users.insert(next.id, User { created_at: stored.created_at, ..next.clone() });
    tables.remember(key, KeySubject::User(next.id));
    Ok(Written { value: next.clone(), replayed })
}

#[async_trait]
impl UserStore for MemoryStore {
    async fn create_user(&self, user: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if let Some(KeySubject::User(id)) = tables.seen(key)? {
                let value = tables.users.get(&id).cloned().ok_or(StoreError::NotFound)?;
                return Ok(Written { value, replayed: true });
            }
            if by_email(tables, &user.email).is_some() {
                return Err(Conflict::EmailTaken.into());
            }
            tables.users.insert(user.id, user.clone());
            tables.remember(key, KeySubject::User(user.id));
            Ok(Written { value: user.clone(), replayed: false })
        })
        .await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(|state| state.tables.users.get(&id).cloned()).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        self.read(|state| by_email(&state.tables, email).cloned()).await
    }

    async fn user_of_key(&self, key: TableKey) -> Result<Option<User>, StoreError> {
        self.read(|state| match state.tables.seen(Some(key))? {
            Some(KeySubject::User(id)) => Ok(state.tables.users.get(&id).cloned()),
            Some(_) | None => Ok(None),
        })
        .await?
    }

    async fn update_user(&self, next: &User, key: Option<TableKey>) -> Result<Written<User>, StoreError> {
        self.write(|state| update(&mut state.tables, next, key)).await
    }

    async fn change_password(
        &self,
        next: &User,
        keep: Option<SessionId>,
        key: Option<TableKey>,
    ) -> Result<Written<User>, StoreError> {
        self.write(|state| {
            let written = update(&mut state.tables, next, key)?;
            let sessions = state.tables.sessions.values_mut();
            for session in sessions.filter(|session| !written.replayed && session.user == next.id) {
                session.revoked |= Some(session.id) != keep;
            }
            self.database.tell();
            Ok(written)
        })
        .await
    }

    async fn create_session(
        &self,
        session: &Session,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if let Some(KeySubject::Session(id)) = tables.seen(key)? {
                let value = tables.sessions.get(&id).cloned().ok_or(StoreError::NotFound)?;
                return Ok(Written { value, replayed: true });
            }
            // A shopper's sessions that nobody can use any more go when a new one comes.
            let over = |old: &Session| old.user == session.user && old.expires_at <= session.created_at;
            tables.sessions.retain(|_, old| !over(old));
            tables.sessions.insert(session.id, session.clone());
            tables.remember(key, KeySubject::Session(session.id));
            Ok(Written { value: session.clone(), replayed: false })
        })
        .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.read(|state| state.tables.sessions.get(&id).cloned()).await
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        generation: u64,
        expires_at: Timestamp,
        grace: Duration,
        key: Option<TableKey>,
    ) -> Result<Written<Session>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            let replayed = tables.seen(key)?.is_some();
            let stored = tables.sessions.get_mut(&id).ok_or(StoreError::NotFound)?;
            if replayed {
                return Ok(Written { value: stored.clone(), replayed });
            }
            if stored.revoked {
                return Err(StoreError::NotFound);
            }
            if stored.was_rotated_just_before(generation, expires_at, grace) {
                let value = stored.clone();
                tables.remember(key, KeySubject::Session(id));
                return Ok(Written { value, replayed });
            }
            if stored.generation != generation {
                return Err(StoreError::Stale { version: stored.generation });
            }
            (stored.generation, stored.expires_at) = (generation + 1, expires_at);
            let value = stored.clone();
            tables.remember(key, KeySubject::Session(id));
            Ok(Written { value, replayed })
        })
        .await
    }

    async fn revoke_session(
        &self,
        id: SessionId,
        key: Option<TableKey>,
    ) -> Result<Written<bool>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            self.database.tell();
            if tables.seen(key)?.is_some() {
                return Ok(Written { value: true, replayed: true });
            }
            let open = tables.sessions.get_mut(&id).filter(|session| !session.revoked);
            let value = open.map(|session| session.revoked = true).is_some();
            if value {
                tables.remember(key, KeySubject::Session(id));
            }
            Ok(Written { value, replayed: false })
        })
        .await
    }

    async fn revoked_sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError> {
        self.read(|state| {
            let theirs = state.tables.sessions.values().filter(|session| session.user == user);
            theirs.filter(|session| session.revoked).map(|session| session.id).collect()
        })
        .await
    }

    async fn revoked_sessions(&self, now: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        self.read(|state| {
            let sessions = state.tables.sessions.values();
            let revoked = sessions.filter(|session| session.revoked && session.expires_at > now);
            revoked.map(|session| session.id).collect()
        })
        .await
    }

    async fn addresses(&self, user: UserId) -> Result<Vec<Address>, StoreError> {
        self.read(|state| {
            state.tables.addresses.iter().filter(|address| address.user == user).cloned().collect()
        })
        .await
    }

    async fn put_address(
        &self,
        next: &Address,
        key: Option<TableKey>,
    ) -> Result<Written<Address>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if let Some(KeySubject::Address(value)) = tables.seen(key)? {
                return Ok(Written { value, replayed: true });
            }
            let same = |known: &&mut Address| known.user == next.user && known.id == next.id;
            match tables.addresses.iter_mut().find(same) {
                None if next.version != 1 => return Err(StoreError::NotFound),
                None => tables.addresses.push(next.clone()),
                Some(known) if known.version + 1 != next.version => {
                    return Err(StoreError::Stale { version: known.version });
                }
                // It says the same already.
                Some(known) if known.body == next.body => {
                    let value = known.clone();
                    tables.remember(key, KeySubject::Address(value.clone()));
                    return Ok(Written { value, replayed: false });
                }
                Some(known) => known.clone_from(next),
            }
            tables.remember(key, KeySubject::Address(next.clone()));
            Ok(Written { value: next.clone(), replayed: false })
        })
        .await
    }

    async fn delete_address(
        &self,
        user: UserId,
        id: AddressId,
        key: Option<TableKey>,
    ) -> Result<Written<()>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if tables.seen(key)?.is_some() {
                return Ok(Written { value: (), replayed: true });
            }
            let before = tables.addresses.len();
            tables.addresses.retain(|known| known.user != user || known.id != id);
            if tables.addresses.len() == before {
                return Err(StoreError::NotFound);
            }
            tables.remember(key, KeySubject::AddressGone);
            Ok(Written { value: (), replayed: false })
        })
        .await
    }
}
