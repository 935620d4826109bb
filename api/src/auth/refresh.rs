use std::time::Duration;

use smartcart_domain::id::{IdSecret, SessionId};
use subtle::ConstantTimeEq as _;

/// Long-lived tokens, `<session>.<generation>.<mac>`: the store keeps only the session and its generation.
#[derive(Debug)]
pub struct RefreshTokens {
    secret: IdSecret,
    lifetime: Duration,
    grace: Duration,
}

impl RefreshTokens {
    pub fn new(secret: &IdSecret, lifetime: Duration, grace: Duration) -> Self {
        Self { secret: secret.clone(), lifetime, grace }
    }

    /// A session ends when it was not refreshed for this long.
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// For so long the token before is still taken: another tab had it too, or the answer with the new one was lost.
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    pub fn issue(&self, session: SessionId, generation: u64) -> String {
        format!("{session}.{generation}.{:032x}", self.mac(session, generation))
    }

    /// The session and generation that the token was issued for, or nothing when it is forged.
    pub fn verify(&self, token: &str) -> Option<(SessionId, u64)> {
        let (head, mac) = token.rsplit_once('.')?;
        let (session, generation) = head.split_once('.')?;
        let (session, generation) = (session.parse().ok()?, generation.parse().ok()?);
        let own = format!("{:032x}", self.mac(session, generation));
        bool::from(own.as_bytes().ct_eq(mac.as_bytes())).then_some((session, generation))
    }

    fn mac(&self, session: SessionId, generation: u64) -> u128 {
        self.secret.derive("refresh-token", &[&session.0.to_be_bytes(), &generation.to_be_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_issued_is_accepted() {
        let tokens = RefreshTokens::new(&IdSecret::new([1; 32]), Duration::from_secs(60), Duration::ZERO);
        let token = tokens.issue(SessionId(7), 3);
        assert_eq!(tokens.verify(&token), Some((SessionId(7), 3)));
        assert_eq!(tokens.verify(&token.replacen(".3.", ".4.", 1)), None);
        for forged in ["", "..", "a.b.c", &token[..token.len() - 1]] {
            assert_eq!(tokens.verify(forged), None, "{forged}");
        }
    }
}
