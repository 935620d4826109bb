use std::collections::HashMap;

use parking_lot::RwLock;
use smartcart_domain::{id::SessionId, time::Timestamp};

/// Ended sessions whose access tokens may not have expired yet.
#[derive(Debug, Default)]
pub struct Revoked(RwLock<HashMap<SessionId, Timestamp>>);

impl Revoked {
    /// Sessions that ended; each is remembered until `until`, when the last access token of it has expired.
    pub fn add(&self, sessions: impl IntoIterator<Item = SessionId>, now: Timestamp, until: Timestamp) {
        let mut revoked = self.0.write();
        revoked.retain(|_, until| *until > now);
        revoked.extend(sessions.into_iter().map(|session| (session, until)));
    }

    pub fn contains(&self, session: SessionId) -> bool {
        self.0.read().contains_key(&session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_is_forgotten_when_its_tokens_are_dead() {
        let revoked = Revoked::default();
        revoked.add([SessionId(1)], Timestamp(0), Timestamp(10));
        assert!(revoked.contains(SessionId(1)));
        revoked.add([SessionId(2)], Timestamp(10), Timestamp(20));
        assert!(!revoked.contains(SessionId(1)) && revoked.contains(SessionId(2)));
    }
}
